// Draws `charts` (report_page.py): bars with a thin line from least to most.
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const { ctx, scales: { x } } = chart;
    const bars = chart.options.plugins.whiskers.bars;
    ctx.save();
    ctx.strokeStyle = "#1d2733";
    ctx.beginPath();
    chart.getDatasetMeta(0).data.forEach(({ y }, i) => {
      const from = x.getPixelForValue(bars[i].low);
      const to = x.getPixelForValue(bars[i].high);
      ctx.moveTo(from, y);
      ctx.lineTo(to, y);
      for (const end of [from, to]) {
        ctx.moveTo(end, y - 4);
        ctx.lineTo(end, y + 4);
      }
    });
    ctx.stroke();
    const line = chart.options.plugins.whiskers.line;
    if (line !== null) {
      ctx.strokeStyle = "#5a6877";
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.moveTo(x.getPixelForValue(line), chart.chartArea.top);
      ctx.lineTo(x.getPixelForValue(line), chart.chartArea.bottom);
      ctx.stroke();
    }
    ctx.restore();
  },
};

charts.forEach(({ title, unit, line, logarithmic, bars }, i) => {
  const good = line === null ? "#2f6fb2" : "#2e9c64";
  const other = line === null ? "#b4c0cc" : "#d05a4b";
  new Chart(document.getElementById(`chart${i}`), {
    type: "bar",
    data: {
      labels: bars.map((bar) => bar.label),
      datasets: [{
        data: bars.map((bar) => bar.value),
        backgroundColor: bars.map((bar) => (bar.good ? good : other)),
      }],
    },
    options: {
      indexAxis: "y",
      animation: false,
      maintainAspectRatio: false,
      scales: {
        x: { type: logarithmic ? "logarithmic" : "linear", title: { display: true, text: unit },
             suggestedMax: Math.max(...bars.map((bar) => bar.high)) },
        y: { ticks: { autoSkip: false } },
      },
      plugins: {
        legend: { display: false },
        title: { display: true, text: title },
        tooltip: { callbacks: { label: (item) => bars[item.dataIndex].note } },
        whiskers: { bars, line },
      },
    },
    plugins: [whiskers],
  });
});
