// Draws the charts that the page's data names. When all are drawn, <html> has data-charts.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = [];

  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const unitOf = (bytes) => {
    let unit = 0;
    while (bytes >= 1024 ** (unit + 1) && unit + 1 < units.length) unit += 1;
    return unit;
  };
  const textOf = (chart, value) => {
    if (!chart.bytes) return value.toLocaleString("en");
    const unit = unitOf(value);
    return `${(value / 1024 ** unit).toLocaleString("en", { maximumSignificantDigits: 3 })} ${units[unit]}`;
  };
  const short = (text) => (text.length > 34 ? `${text.slice(0, 16)}…${text.slice(-16)}` : text);

  const onPaper = { ink: "#1d2733", line: "#d5dce4", bar: "#2f6fb2" };
  const inTheDark = { ink: "#e3e9ef", line: "#3a4652", bar: "#7fb2e5" };
  const onScreen = () => (dark.matches ? inTheDark : onPaper);
  let colours = window.matchMedia("print").matches ? onPaper : onScreen();
  const recolour = (wanted) => {
    colours = wanted;
    drawn.forEach((chart) => chart.update());
  };

  for (const chart of charts) {
    // Ticks at round numbers of the unit, not of bytes.
    const unit = chart.bytes ? unitOf(Math.max(...chart.values)) : 0;
    const values = chart.values.map((value) => value / 1024 ** unit);
    const numbers = {
      beginAtZero: true,
      ticks: {
        color: () => colours.ink,
        maxTicksLimit: 8,
        precision: chart.bytes ? undefined : 0,
        callback: (value) => `${value.toLocaleString("en")}${chart.bytes ? ` ${units[unit]}` : ""}`,
      },
      grid: { color: () => colours.line },
    };
    const names = {
      ticks: {
        color: () => colours.ink,
        autoSkip: !chart.across,
        maxRotation: 0,
        callback(value) { return short(this.getLabelForValue(value)); },
      },
      title: { display: chart.axis !== "", text: chart.axis, color: () => colours.ink },
      grid: { display: false },
    };
    drawn.push(new Chart(document.getElementById(chart.id), {
      type: "bar",
      data: { labels: chart.labels, datasets: [{ data: values, backgroundColor: () => colours.bar, maxBarThickness: 40 }] },
      options: {
        animation: false,
        maintainAspectRatio: false,
        indexAxis: chart.across ? "y" : "x",
        scales: chart.across ? { x: numbers, y: names } : { x: names, y: numbers },
        plugins: {
          colors: { enabled: false },
          legend: { display: false },
          tooltip: { callbacks: { label: (item) => textOf(chart, chart.values[item.dataIndex]) } },
        },
      },
    }));
  }
  dark.addEventListener("change", () => recolour(onScreen()));

  // Paper is white, and nobody can open a table there.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
    drawn.forEach((chart) => chart.resize());
    recolour(onPaper);
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((details) => { details.open = false; });
    drawn.forEach((chart) => chart.resize());
    recolour(onScreen());
  });
  document.documentElement.dataset.charts = String(drawn.length);
})();
