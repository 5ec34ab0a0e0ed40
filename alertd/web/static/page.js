/* Charts that answer the pointer, and news without a reload. The page says the same without it. */
(() => {
  "use strict";
  const refreshS = Number(document.currentScript.dataset.refresh);
  const UNITS_A_DOLLAR = 10000;
  const plots = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const money = (digits) => new Intl.NumberFormat("en-US", {style: "currency", currency: "USD", maximumFractionDigits: digits, minimumFractionDigits: Math.min(2, digits)});
  const [cents, fine] = [money(2), money(4)];
  const usd = (value) => (value && Math.abs(value) < 0.01 ? fine : cents).format(value);
  const formats = {
    USD: usd,
    ratio: (value) => `${+(value * 100).toFixed(1)} %`,
    days: (value) => `${+value.toFixed(1)} days`,
    hours: (value) => `${+value.toFixed(1)} h`,
  };
  const utc = (options) => new Intl.DateTimeFormat("en-US", {timeZone: "UTC", hourCycle: "h23", ...options});
  const [date, time] = [{month: "short", day: "numeric"}, {hour: "2-digit", minute: "2-digit"}];
  const [day, clock, hour] = [utc(date), utc(time), utc({...date, ...time})];
  const DASHES = {plain: [2, 4], info: [4, 4], warning: [8, 5], critical: [16, 5]};
  const LINES = {plain: "muted", info: "info", warning: "bar-risk", critical: "bar-over"};

  const element = (tag, text, style) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (style) made.className = style;
    return made;
  };

  const axes = (format) => {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const common = {stroke: colour("muted"), font, grid: {stroke: colour("rule"), width: 1}, ticks: {show: false}};
    const width = (plot, texts) => Math.max(...(texts || [""]).map((text) => text.length)) * 7.2 + 14;
    const rounded = (plot, marks) => marks.map((mark) => format(mark).replace(/(\d)\.00$/, "$1"));
    const dates = (plot, marks) => {
      const isByDay = marks.every((mark) => mark % 86400 === 0);
      return marks.map((mark) => (isByDay ? day : mark % 86400 ? clock : hour).format(mark * 1000));
    };
    return [{...common, grid: {show: false}, size: 28, space: 80, values: dates}, {...common, size: width, values: rounded}];
  };

  const hatch = (plot) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour("muted");
    pen.globalAlpha = 0.55;
    pen.beginPath();
    pen.moveTo(-2, 10);
    pen.lineTo(10, -2);
    pen.stroke();
    return plot.ctx.createPattern(tile, "repeat");
  };

  /* Piles: each group reaches from nothing to the sum of those before it and itself; the longest are drawn first. */
  const piled = (groups, steps) => {
    const above = Array(steps).fill(0), below = Array(steps).fill(0);
    return groups.map((group) => group.amounts.map((amount, step) => {
      if (!amount) return null;
      const pile = amount > 0 ? above : below;
      pile[step] += amount;
      return pile[step] / UNITS_A_DOLLAR;
    }));
  };

  const spendOptions = (data) => {
    const starts = data.times.slice(0, -1);
    const edges = [data.times[0], data.times[data.times.length - 1]];
    const bars = uPlot.paths.bars({size: [0.84, Infinity], align: 1});
    const piles = piled(data.groups, starts.length);
    const stripes = (plot) => {
      plot.ctx.save();
      plot.ctx.fillStyle = hatch(plot);
      for (const step of data.partial) {
        const left = plot.valToPos(data.times[step], "x", true);
        const right = plot.valToPos(data.times[step + 1], "x", true);
        plot.ctx.fillRect(left, plot.bbox.top, right - left, plot.bbox.height);
      }
      plot.ctx.restore();
    };
    const series = data.groups.map((group) => ({fill: colour(group.style), stroke: colour(group.style), width: 0, paths: bars, points: {show: false}}));
    const row = (name, value) => {
      const made = element("p");
      made.append(element("span", name), element("b", usd(value / UNITS_A_DOLLAR)));
      return made;
    };
    const tell = (at) => {
      let step = starts.findLastIndex((start) => start <= at);
      if (step < 0) return null;
      const format = data.byDay ? day : hour;
      const amounts = data.groups.map((group) => group.amounts[step]);
      const isShort = data.byDay && data.times[step + 1] - data.times[step] < 86400;
      const note = amounts.every((amount) => amount === null) ? ": not known"
        : data.partial.includes(step) ? ": not complete"
        : isShort ? ": in part" : "";
      const said = [element("strong", `${format.format(data.times[step] * 1000)}${note}`)];
      if (amounts.some((amount) => amount) || !note) {
        said.push(row("All", amounts.reduce((sum, amount) => sum + (amount || 0), 0)));
        data.groups.forEach((group, number) => amounts[number] && said.push(row(group.name, amounts[number])));
      }
      return said;
    };
    return {
      data: [starts, ...piles.reverse()],
      options: {
        scales: {x: {time: true, range: () => edges}, y: {range: (plot, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, 0.0001) * 1.04]}},
        axes: axes(usd),
        series: [{}, ...series.reverse()],
        hooks: {drawClear: [stripes]},
      },
      tell,
    };
  };

  const upright = (at) => (chart) => {
    const {ctx, bbox} = chart;
    const x = Math.round(chart.valToPos(at, "x", true));
    ctx.save();
    ctx.strokeStyle = colour("muted");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  };

  const alertOptions = (data) => {
    const format = formats[data.unit];
    const values = data.values.map(Number);
    const isLine = data.form === "line";
    const main = {stroke: colour("g0"), width: 2, fill: `${colour("g0")}33`, points: {show: false}};
    const limits = data.limits.map((limit) => ({stroke: colour(LINES[limit.style]), width: 2, dash: DASHES[limit.style], points: {show: false}}));
    return {
      data: [data.times, values, ...data.limits.map((limit) => values.map(() => Number(limit.value)))],
      options: {
        scales: {x: {time: true}, y: {range: (plot, low, high) => [Math.min(0, low), Math.max(high, 0.0001) * 1.05]}},
        axes: axes(format),
        hooks: {draw: data.fired === null ? [] : [upright(data.fired)]},
        series: [{}, isLine ? main : {...main, fill: colour("g0"), paths: uPlot.paths.bars({size: [0.84, Infinity]})}, ...limits],
      },
      tell: (at) => {
        let nearest = 0;
        data.times.forEach((time, number) => { if (Math.abs(time - at) < Math.abs(data.times[nearest] - at)) nearest = number; });
        return [element("strong", data.labels[nearest]), element("p", format(values[nearest]))];
      },
    };
  };

  const draw = (figure) => {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const {data: columns, options, tell} = (figure.dataset.chart === "spend" ? spendOptions : alertOptions)(data);
    const plot = figure.querySelector(".plot");
    plots.get(figure)?.destroy();
    plot.querySelectorAll(".tip").forEach((old) => old.remove());
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", figure.querySelector("svg").getAttribute("aria-label"));
    figure.classList.add("drawn");
    const tip = element("div", undefined, "tip");
    tip.hidden = true;
    const point = (chart) => {
      const left = chart.cursor.left;
      const said = left >= 0 ? tell(chart.posToVal(left, "x")) : null;
      tip.hidden = !said;
      if (!said) return;
      tip.replaceChildren(...said);
      const x = left + chart.over.offsetLeft;
      tip.style.left = `${Math.max(0, x + 16 + tip.offsetWidth > plot.clientWidth ? x - 16 - tip.offsetWidth : x + 16)}px`;
    };
    const chart = new uPlot({
      ...options,
      width: plot.clientWidth,
      height: plot.clientHeight,
      padding: [10, 26, 0, 0],
      legend: {show: false},
      cursor: {y: false, drag: {x: false, y: false}, points: {show: false}},
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      hooks: {...options.hooks, setCursor: [point]},
    }, columns, plot);
    plot.append(tip);
    plots.set(figure, chart);
  };

  const drawAll = () => {
    for (const figure of plots.keys()) if (!figure.isConnected) { plots.get(figure).destroy(); plots.delete(figure); }
    document.querySelectorAll("figure[data-chart]").forEach((figure) => { draw(figure); sizes.observe(figure); });
  };
  const sizes = new ResizeObserver((changes) => changes.forEach(({target}) => {
    const [chart, plot] = [plots.get(target), target.querySelector(".plot")];
    if (chart && plot.clientWidth !== chart.width) chart.setSize({width: plot.clientWidth, height: plot.clientHeight});
  }));

  /* Somebody who reads with a finger on the page, or types, is not disturbed. */
  const isBusy = () => {
    const at = document.activeElement;
    return document.hidden || !getSelection().isCollapsed || (at.closest("main") && !at.matches("main, .notice"));
  };
  const refresh = async () => {
    if (isBusy()) return;
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}}).catch(() => null);
    if (!answer || !answer.ok || answer.redirected || isBusy()) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = fresh.getElementById("main");
    if (!main) return;
    document.querySelectorAll("details[open][id]").forEach(({id}) => { const same = fresh.getElementById(id); if (same) same.open = true; });
    if (fresh.title !== document.title) document.getElementById("news").textContent = fresh.title;
    document.title = fresh.title;
    document.getElementById("main").replaceWith(document.adoptNode(main));
    drawAll();
  };

  drawAll();
  document.querySelector(".notice")?.focus();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  setInterval(refresh, refreshS * 1000);
})();
