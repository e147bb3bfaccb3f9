// Makes a picture small before it leaves the browser; drawing it anew also leaves behind where and when it was taken.
(() => {
  const form = document.querySelector("[data-by-picture]");
  if (!form) return;
  const LONGEST = 1280;
  const MOST_BYTES = 900_000;
  const field = form.elements.picture;
  const button = form.querySelector("button");
  const told = form.querySelector("[data-told]");

  const smaller = async (file) => {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    let small;
    for (const quality of [0.9, 0.7, 0.4]) {
      small = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
      if (small.size <= MOST_BYTES) break;
    }
    return small;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    told.textContent = "Looking at the picture …";
    try {
      const files = new DataTransfer();
      files.items.add(new File([await smaller(field.files[0])], "picture.jpg", { type: "image/jpeg" }));
      field.files = files.files;
    } catch {
      told.textContent = "Your browser cannot open this picture: choose a JPEG, PNG or WebP file.";
      button.disabled = false;
      return;
    }
    form.submit();
  });

  // Whoever comes back to the page finds the form as it was at first.
  addEventListener("pageshow", () => {
    button.disabled = false;
    told.textContent = "";
  });
})();
