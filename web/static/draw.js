// The drawing board: zones, lines and masks on a still, by mouse, touch and keyboard alike.
//
// A shape is {kind, id, name, points}, its points fractions of the picture. Every change goes through `change`,
// which draws anew and writes the form's hidden field; handles are real buttons, so that the keyboard reaches them.
(() => {
  const form = document.querySelector("[data-drawing]");
  if (!form) return;
  const SVG = "http://www.w3.org/2000/svg";
  const WORDS = { zone: "Zone", line: "Line", mask: "Mask" };
  const STEP = 0.01;
  const LEAST = { zone: 3, mask: 3, line: 2 };
  const MOST = 64;
  const FRESH = {
    zone: [[0.35, 0.45], [0.65, 0.45], [0.65, 0.8], [0.35, 0.8]],
    mask: [[0.4, 0.1], [0.6, 0.1], [0.6, 0.3], [0.4, 0.3]],
    line: [[0.25, 0.6], [0.75, 0.6]],
  };

  const field = form.elements.shapes;
  const board = form.querySelector("[data-board]");
  const image = board.querySelector("img");
  const list = form.querySelector("[data-shapes]");
  const told = form.querySelector("[data-told]");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  board.append(svg);

  const saved = JSON.parse(field.value);
  let shapes = [
    ...saved.masks.map((points) => ({ kind: "mask", points })),
    ...saved.zones.map((zone) => ({ kind: "zone", ...zone })),
    ...saved.lines.map((line) => ({ kind: "line", ...line })),
  ];
  let chosen = shapes.length ? 0 : -1;

  const clamp = (value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
  const percent = (value) => `${Math.round(value * 100)} %`;
  const named = (shape) => (shape.kind === "mask" ? `mask ${shapes.filter((other) => other.kind === "mask").indexOf(shape) + 1}` : `${WORDS[shape.kind].toLowerCase()} ${shape.name}`);

  const write = () => {
    const of = (kind) => shapes.filter((shape) => shape.kind === kind);
    const plain = ({ id, name, points }) => ({ id, name, points });
    field.value = JSON.stringify({ masks: of("mask").map((mask) => mask.points), zones: of("zone").map(plain), lines: of("line").map(plain) });
  };

  const change = () => {
    write();
    form.querySelector("[data-unsaved]").hidden = false;
    draw();
  };

  const element = (name, attributes) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const path = (points) => points.map(([x, y]) => `${x * 100},${y * 100}`).join(" ");

  // Who walks from a line's left to its right, seen from its start to its end, goes in.
  const arrow = ([[x1, y1], [x2, y2]]) => {
    // Before its picture has come the board has no size.
    const width = board.clientWidth || 1, height = board.clientHeight || 1;
    const dx = (x2 - x1) * width, dy = (y2 - y1) * height;
    const length = Math.hypot(dx, dy) || 1;
    const at = (along, aside) => [(x1 + x2) / 2 + ((dx * along - dy * aside) / length / width), (y1 + y2) / 2 + ((dy * along + dx * aside) / length / height)];
    return element("polyline", { class: "arrow", points: path([at(0, 0), at(0, 34), at(-7, 24), at(0, 34), at(7, 24)]) });
  };

  const drawShape = (shape, index) => {
    const name = shape.kind === "line" ? "polyline" : "polygon";
    if (shape.kind !== "mask") svg.append(element(name, { class: "casing", points: path(shape.points) }));
    const drawn = element(name, { class: `shape ${shape.kind}`, points: path(shape.points) });
    drawn.addEventListener("pointerdown", (event) => {
      choose(index);
      drag(event, (dx, dy, from) => { shape.points = from.map(([x, y]) => [clamp(x + dx), clamp(y + dy)]); }, shape.points);
    });
    svg.append(drawn);
    if (shape.kind === "line") svg.append(arrow(shape.points));
  };

  const handle = (point, kind, label) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `handle ${kind}`;
    made.style.left = `${point[0] * 100}%`;
    made.style.top = `${point[1] * 100}%`;
    made.setAttribute("aria-label", label);
    board.append(made);
    return made;
  };

  const drawHandles = (shape) => {
    shape.points.forEach((point, index) => {
      const first = shape.kind === "line" && index === 0;
      const made = handle(point, first ? "start" : "", `${shape.kind === "line" ? (first ? "Start" : "End") : `Point ${index + 1} of ${shape.points.length}`} of ${named(shape)}, ${percent(point[0])} from the left, ${percent(point[1])} from the top`);
      made.dataset.point = index;
      made.addEventListener("pointerdown", (event) => drag(event, (dx, dy, from) => { shape.points[index] = [clamp(from[index][0] + dx), clamp(from[index][1] + dy)]; }, shape.points));
      made.addEventListener("keydown", (event) => pressed(event, shape, index));
    });
    if (shape.kind === "line" || shape.points.length >= MOST) return;
    shape.points.forEach((point, index) => {
      const next = shape.points[(index + 1) % shape.points.length];
      const middle = [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2];
      const made = handle(middle, "mid", `Add a point to ${named(shape)} after point ${index + 1}`);
      made.tabIndex = -1;
      const insert = () => { shape.points = shape.points.toSpliced(index + 1, 0, middle.map(clamp)); };
      made.addEventListener("pointerdown", (event) => {
        insert();
        drag(event, (dx, dy, from) => { shape.points[index + 1] = [clamp(from[index + 1][0] + dx), clamp(from[index + 1][1] + dy)]; }, shape.points);
      });
    });
  };

  const drag = (event, move, points) => {
    event.preventDefault();
    const { left, top, width, height } = board.getBoundingClientRect();
    const from = points.map((point) => [...point]);
    const start = [(event.clientX - left) / width, (event.clientY - top) / height];
    const moved = (later) => {
      move((later.clientX - left) / width - start[0], (later.clientY - top) / height - start[1], from);
      change();
    };
    const ended = () => {
      window.removeEventListener("pointermove", moved);
      window.removeEventListener("pointerup", ended);
      window.removeEventListener("pointercancel", ended);
    };
    window.addEventListener("pointermove", moved);
    window.addEventListener("pointerup", ended);
    window.addEventListener("pointercancel", ended);
  };

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const pressed = (event, shape, index) => {
    const step = MOVES[event.key];
    if (step) {
      const size = event.shiftKey ? 5 * STEP : STEP;
      shape.points[index] = [clamp(shape.points[index][0] + step[0] * size), clamp(shape.points[index][1] + step[1] * size)];
      told.textContent = `${percent(shape.points[index][0])} from the left, ${percent(shape.points[index][1])} from the top`;
    } else if (event.key === "Insert" || event.key === "+") {
      insertAfter(shape, index);
      index += 1;
    } else if ((event.key === "Delete" || event.key === "Backspace") && shape.points.length > LEAST[shape.kind]) {
      shape.points = shape.points.toSpliced(index, 1);
      index = Math.min(index, shape.points.length - 1);
    } else {
      return;
    }
    event.preventDefault();
    change();
    board.querySelector(`[data-point="${index}"]`)?.focus();
  };

  const insertAfter = (shape, index) => {
    if (shape.kind === "line" || shape.points.length >= MOST) return;
    const next = shape.points[(index + 1) % shape.points.length];
    const middle = [0, 1].map((axis) => clamp((shape.points[index][axis] + next[axis]) / 2));
    shape.points = shape.points.toSpliced(index + 1, 0, middle);
  };

  const choose = (index) => {
    if (chosen === index) return;
    chosen = index;
    draw();
    listShapes();
  };

  const draw = () => {
    svg.replaceChildren();
    for (const old of board.querySelectorAll(".handle")) old.remove();
    shapes.forEach(drawShape);
    if (shapes[chosen]) drawHandles(shapes[chosen]);
  };

  const button = (text, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "soft small";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };

  const nameField = (shape) => {
    const made = document.createElement("input");
    made.value = shape.name;
    made.maxLength = 80;
    made.required = true;
    made.setAttribute("aria-label", `Name of the ${shape.kind}`);
    made.addEventListener("input", () => { shape.name = made.value; change(); });
    made.addEventListener("focus", () => { chosen = shapes.indexOf(shape); draw(); mark(); });
    return made;
  };

  const mark = () => [...list.children].forEach((row, index) => row.classList.toggle("chosen", index === chosen));

  const listShapes = () => {
    list.replaceChildren(...shapes.map((shape, index) => {
      const row = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = `swatch ${shape.kind}`;
      swatch.title = WORDS[shape.kind];
      const title = shape.kind === "mask" ? button(`Mask ${shapes.slice(0, index + 1).filter((other) => other.kind === "mask").length}`, `Choose ${named(shape)}`, () => choose(index)) : nameField(shape);
      const deeds = document.createElement("span");
      deeds.className = "buttons";
      if (shape.kind === "line") deeds.append(button("Turn", `Turn ${named(shape)} around: what was in is out`, () => { shape.points.reverse(); chosen = index; change(); }));
      deeds.append(button("Remove", `Remove ${named(shape)}`, () => { shapes.splice(index, 1); chosen = Math.min(chosen, shapes.length - 1); change(); listShapes(); }));
      row.append(swatch, title, deeds);
      return row;
    }));
    mark();
  };

  const freshName = (kind) => {
    for (let number = 1; ; number += 1) {
      const name = `${WORDS[kind]} ${number}`;
      if (!shapes.some((shape) => shape.name === name)) return name;
    }
  };

  const freshId = (kind) => `${kind}-${[...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

  for (const adds of form.querySelectorAll("[data-add]")) {
    adds.addEventListener("click", () => {
      const kind = adds.dataset.add;
      const points = FRESH[kind].map((point) => [...point]);
      shapes.push(kind === "mask" ? { kind, points } : { kind, id: freshId(kind), name: freshName(kind), points });
      chosen = shapes.length - 1;
      change();
      listShapes();
      board.querySelector('[data-point="0"]')?.focus({ preventScroll: true });
    });
  }

  const noPicture = () => {
    image.remove();
    board.querySelector("[data-blank]").hidden = false;
    draw();
  };
  image.addEventListener("error", noPicture);
  image.addEventListener("load", draw);
  if (image.complete && image.naturalWidth === 0) noPicture();
  new ResizeObserver(draw).observe(board);

  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; });
  form.querySelector("[data-discard]").addEventListener("click", () => {
    leaving = true;
    location.reload();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && !form.querySelector("[data-unsaved]").hidden) event.preventDefault();
  });
  draw();
  listShapes();
})();
