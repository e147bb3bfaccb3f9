// Says how well this page is connected to the hub. htmx does the rest: it reads the stream and swaps what comes.
//
// The hub sends something at least every three seconds. A connection that died without a word is noticed by the
// silence and given up; htmx then makes a new one. Where htmx has none at all, it is told to start over.
(() => {
  const TICK_MS = 500;
  const SILENCE_MS = 8000;
  const BANNER_AFTER_MS = 1500;
  const RESTART_EVERY_MS = 2500;
  const WORDS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };

  const main = document.getElementById("main");
  const badge = document.getElementById("connection");
  const banner = document.getElementById("offline");
  let connection = null;
  let heardAt = Date.now();
  let lostAt = null;
  let restartedAt = 0;

  const show = (state) => {
    if (badge.dataset.state === state) return;
    badge.dataset.state = state;
    badge.querySelector("[data-word]").textContent = WORDS[state];
  };

  const heard = () => {
    heardAt = Date.now();
    lostAt = null;
    banner.hidden = true;
    document.body.classList.remove("stale");
    show("live");
  };

  const lost = () => {
    lostAt ??= Date.now();
    show("reconnecting");
  };

  // A moment without connection is nobody's business; only one that lasts covers the numbers.
  const warn = () => {
    const since = new Date(heardAt).toLocaleTimeString("en-GB");
    const text = `No connection to the hub since ${since}. What you see is from then; this page reconnects by itself.`;
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = false;
    document.body.classList.add("stale");
  };

  const restart = (now) => {
    restartedAt = now;
    htmx.process(main, true);
  };

  const tick = () => {
    const now = Date.now();
    if (document.hidden) return;
    if (now - heardAt > SILENCE_MS) {
      lost();
      connection?.reader?.cancel();
    }
    if (lostAt !== null && now - lostAt > BANNER_AFTER_MS) warn();
    if (lostAt !== null && !connection && now - restartedAt > RESTART_EVERY_MS) restart(now);
  };

  main.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
    heardAt = Date.now();
  });
  main.addEventListener("htmx:sse:after:message", heard);
  main.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt > 0) lost();
  });
  main.addEventListener("htmx:sse:close", () => {
    connection = null;
    lost();
  });
  for (const trouble of ["htmx:sse:error", "htmx:error", "htmx:response:error"]) {
    main.addEventListener(trouble, lost);
  }
  // Whoever is signed out meanwhile is told so by the way in; to try again would not help.
  main.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.assign("/login?next=%2F");
  });

  setInterval(tick, TICK_MS);
})();
