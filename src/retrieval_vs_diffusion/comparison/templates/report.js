"use strict";
// Draws the figures in the page's colours, and lets tables and pictures be filtered. All data is in #data, as JSON.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const looks = (layout, printed) => {
    const small = narrow.matches && !printed;
    const ink = printed ? "#333" : colour("--ink"), line = printed ? "#ddd" : colour("--line");
    const axis = (own) => ({ ...own, gridcolor: line, linecolor: line, tickfont: { size: small ? 10 : 12 } });
    // Paper is narrower than the window in which the figures were laid out.
    const paper = printed ? { width: 680, autosize: false } : { width: undefined, autosize: true };
    return {
      ...layout, ...paper, font: { color: ink, size: small ? 11 : 13, family: "system-ui, 'DejaVu Sans', sans-serif" },
      xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
      margin: small ? { ...layout.margin, l: 4, r: 8 } : layout.margin,
      hoverlabel: { font: { size: 13 } },
    };
  };

  const draw = (printed = false) => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const { data: own, layout } = data.figures[place.dataset.figure];
      // A phone has no room for the scale beside a matrix whose cells carry their numbers.
      const traces = own.map((trace) => trace.type === "heatmap" ? { ...trace, showscale: !narrow.matches } : trace);
      Plotly.react(place, traces, looks(layout, printed), { displayModeBar: false, responsive: true });
    }
  };

  const confusion = document.getElementById("pick-confusion");
  const showConfusion = () => {
    data.figures.confusion.data[0].z = data.confusions.rows[confusion.value];
    draw();
  };

  const pickClass = document.getElementById("pick-class"), pickKind = document.getElementById("pick-kind");
  const filterGallery = () => {
    let shown = 0;
    for (const shelf of document.querySelectorAll(".shelf")) {
      const kind = pickKind.value;
      const fits = kind === "all" || kind === "refused" || shelf.dataset.kind.split(" ").includes(kind);
      let own = 0;
      for (const card of shelf.querySelectorAll(".card")) {
        const wanted = fits && card.dataset.class === pickClass.value
          && (kind !== "refused" || card.classList.contains("refused"));
        card.hidden = !wanted;
        own += wanted;
      }
      shelf.hidden = !own;
      shown += own;
    }
    document.getElementById("picked").textContent = shown ? `${shown} pictures` : "none in this class; try another";
  };

  const pickLedger = document.getElementById("pick-ledger");
  const filterLedger = () => {
    for (const row of document.querySelectorAll("#ledger tbody tr")) {
      row.hidden = (row.dataset.class ?? "") !== pickLedger.value;
    }
  };

  for (const id of ["picker", "ledger-picker"]) document.getElementById(id)?.removeAttribute("hidden");
  pickClass.addEventListener("change", filterGallery);
  pickKind.addEventListener("change", filterGallery);
  filterGallery();
  pickLedger?.addEventListener("change", filterLedger);
  if (confusion) { confusion.addEventListener("change", showConfusion); showConfusion(); } else { draw(); }
  scheme.addEventListener("change", () => draw());
  narrow.addEventListener("change", () => draw());
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw());
  for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
})();
