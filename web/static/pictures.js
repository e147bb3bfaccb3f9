// A picture that has expired leaves the silhouette behind it.
(() => {
  document.addEventListener("error", (event) => {
    if (event.target.tagName === "IMG") event.target.remove();
  }, true);
  for (const image of document.querySelectorAll(".picture img")) {
    if (image.complete && image.naturalWidth === 0) image.remove();
  }
})();
