// Says so when the hub does not answer what this page asks of it by itself, and takes it back with the next answer.
(() => {
  const banner = document.createElement("p");
  banner.className = "banner";
  banner.id = "away";
  banner.dataset.testid = "away";
  banner.setAttribute("role", "alert");
  banner.hidden = true;
  document.getElementById("main").before(banner);

  const say = (text) => {
    banner.textContent = text;
    banner.hidden = false;
  };

  document.addEventListener("htmx:after:request", (event) => {
    if (event.detail.ctx.response.status < 400) banner.hidden = true;
  });
  document.addEventListener("htmx:response:error", (event) => {
    if (event.detail.ctx.response.status !== 401) say("The hub could not answer that. What you see may be old; reload the page, or try again in a moment.");
  });
  document.addEventListener("htmx:error", () => say("No connection to the hub. What you see may be old; reload the page, or try again in a moment."));
})();
