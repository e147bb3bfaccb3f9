// Says how well this page is connected to the hub. htmx does the rest: it reads the stream and swaps what comes.
//
// The hub sends something at least every three seconds. A connection that died without a word is noticed by the
// silence, given up, and made anew.
(() => {
  const SILENCE_MS = 8000;
  const RETRY_MS = 2000;
  const main = document.getElementById("main");
  const badge = document.getElementById("connection");
  const banner = document.getElementById("offline");
  let connection = null;
  let heardAt = Date.now();
  let goneSince = null;

  const show = (state, word) => {
    if (badge.dataset.state === state) return;
    badge.dataset.state = state;
    badge.querySelector("[data-word]").textContent = word;
  };

  const heard = () => {
    heardAt = Date.now();
    goneSince = null;
    banner.hidden = true;
    document.body.classList.remove("stale");
    show("live", "Live");
  };

  const lost = () => {
    goneSince ??= new Date(heardAt);
    const text = `No connection to the hub since ${goneSince.toLocaleTimeString("en-GB")}. What you see is from then; this page reconnects by itself.`;
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = false;
    document.body.classList.add("stale");
    show("reconnecting", "Reconnecting");
  };

  main.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
  });
  main.addEventListener("htmx:sse:after:message", heard);
  main.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt > 0 && !document.hidden) lost();
  });
  main.addEventListener("htmx:sse:error", lost);
  main.addEventListener("htmx:sse:close", () => {
    connection = null;
    lost();
  });
  main.addEventListener("htmx:error", lost);
  main.addEventListener("htmx:response:error", lost);

  // A picture that has expired leaves the silhouette behind it.
  main.addEventListener("error", (event) => event.target.closest("img")?.remove(), true);

  setInterval(() => {
    if (document.hidden) {
      heardAt = Date.now();
      return;
    }
    if (Date.now() - heardAt > SILENCE_MS) {
      lost();
      connection?.reader?.cancel();
    }
    if (goneSince && !main._htmx?.sse) htmx.trigger(main, "ruid:again");
  }, RETRY_MS);
})();
