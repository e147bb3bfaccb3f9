// Draws each chart from the table that stands below it, so that picture and table cannot differ.
//
// A column's header says how it is drawn: bars, line, or the low and high end of a bar's whisker.
(() => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const MANY = 40;

  const columns = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows];
    return heads.map((head, index) => ({
      name: head.textContent,
      draw: head.dataset.draw ?? "label",
      values: rows.map((row) => row.cells[index].textContent.trim()),
    }));
  };

  const numbers = (column) => column.values.map((text) => (text === "" ? null : Number(text.replace(/[^\d.-]/g, ""))));

  const whiskers = (low, high) => (chart) => {
    const { ctx } = chart;
    ctx.save();
    ctx.strokeStyle = colour("--ink");
    ctx.globalAlpha = 0.65;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    low.forEach((from, index) => {
      if (from === high[index]) return;
      const x = chart.valToPos(index, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, chart.valToPos(from, "y", true));
      ctx.lineTo(x, chart.valToPos(high[index], "y", true));
      ctx.stroke();
    });
    ctx.restore();
  };

  // Before anything is pointed at, the legend names the columns alone.
  const value = (_, number) => number ?? "";

  const series = (column) => column.draw === "bars"
    ? { label: column.name, value, fill: colour("--accent"), stroke: colour("--accent"), width: 0, paths: uPlot.paths.bars({ size: [0.7, 48], radius: 0.15 }), points: { show: false } }
    : { label: column.name, value, stroke: colour("--warn"), width: 2, dash: [6, 4], points: { show: column.values.length < MANY, size: 6, fill: colour("--surface") } };

  const draw = (place) => {
    const table = document.getElementById(place.dataset.chart);
    const all = columns(table);
    const labels = all[0].values;
    const shown = all.filter((column) => column.draw === "bars" || (column.draw === "line" && column.values.some(Boolean)));
    const low = all.find((column) => column.draw === "low");
    const high = all.find((column) => column.draw === "high");
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const most = Math.max(1, ...shown.flatMap(numbers), ...(high ? numbers(high) : []));
    const chart = new uPlot({
      width: place.clientWidth,
      height: 250,
      padding: [8, 8, 0, 0],
      legend: { live: true },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: [0, most * 1.08] } },
      axes: [
        { ...axis, grid: { show: false }, size: 32, space: 20 + 7 * Math.max(...labels.map((label) => label.length)), incrs: [1, 2, 3, 4, 6, 12, 24, 48], values: (_, ticks) => ticks.map((tick) => labels[tick] ?? "") },
        { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000] },
      ],
      series: [{ label: all[0].name, value: (_, index) => labels[index] ?? "" }, ...shown.map(series)],
      hooks: low && high ? { draw: [whiskers(numbers(low), numbers(high))] } : {},
    }, [labels.map((_, index) => index), ...shown.map(numbers)], place);
    new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 250 })).observe(place);
  };

  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
  for (const field of document.querySelectorAll("[data-submits]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
})();
