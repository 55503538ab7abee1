// The page's behaviour beyond HTML and htmx: keys, dialogs, copying, check boxes, times, charts. No build step.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Times

const PARTS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function formatDuration(seconds) {
  const total = Math.max(0, Math.round(seconds));
  for (const [unit, size] of PARTS) {
    if (total >= size) return `${Math.floor(total / size)} ${unit}`;
  }
  return "0 s";
}

function updateTimes() {
  for (const element of all("time[data-ago], time[data-since]")) {
    const seconds = (Date.now() - Date.parse(element.dateTime)) / 1000;
    if (element.hasAttribute("data-since")) element.textContent = formatDuration(seconds);
    else if (Math.abs(seconds) < 10) element.textContent = "just now";
    else element.textContent = seconds > 0 ? `${formatDuration(seconds)} ago` : `in ${formatDuration(-seconds)}`;
  }
}

// Messages that screen readers announce too

let toastTimer;
function announce(text) {
  $("#toast").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("#toast").textContent = ""; }, 4000);
}

// Copying. Without https there is no clipboard API; a selected text field is copied instead.

async function copy(button) {
  const response = await fetch(button.dataset.copy, { headers: { Accept: "text/plain" } });
  if (!response.ok) return announce("The report could not be loaded. Is the daemon running?");
  const text = await response.text();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!copied) return announce("The browser does not allow copying. The text is under Debug info.");
  }
  announce("Copied");
}

// Steps that were ticked off, remembered by this browser

function restoreTicks() {
  for (const box of all("input[data-tick]")) box.checked = loadItem(`tick-${box.dataset.tick}`) === "1";
}
function loadItem(name) { try { return localStorage.getItem(name); } catch { return null; } }
function storeItem(name, value) {
  try { value ? localStorage.setItem(name, value) : localStorage.removeItem(name); } catch { /* private windows */ }
}

// Charts

function themeColor(name) {
  let tones = $(".tones");
  if (!tones) {
    tones = document.createElement("div");
    tones.className = "tones";
    tones.hidden = true;
    for (const color of ["ink", "soft", "line", "one", "two", "three", "four"]) {
      const swatch = document.createElement("i");
      swatch.className = color;
      tones.append(swatch);
    }
    document.body.append(tones);
  }
  return getComputedStyle($(`.${name}`, tones)).color;
}

function markPlugin(data) {
  return { hooks: { draw: [(plot) => {
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = themeColor("soft");
    ctx.setLineDash([2, 3]);
    for (const mark of data.marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, plot.bbox.top);
      ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }] } };
}

function withForecast(data) {
  // The forecast's two points follow the last measured one; its interval is the area between two lines.
  const times = [...data.times], lines = data.series.map((series) => [...series.values]);
  const series = data.series.map((metric, index) => ({
    label: metric.name, stroke: themeColor(["one", "two", "three", "four"][index % 4]), width: 1.5, spanGaps: false,
    points: { show: data.times.length < 30 },
  }));
  const bands = [];
  if (data.ahead.length) {
    const end = data.ahead[1];
    const line = (key) => [...data.times.slice(0, -1).map(() => null), data.ahead[0][key], end[key]];
    times.push(end.at);
    for (const line of lines) line.push(null);
    const dashed = { width: 1, dash: [5, 4], points: { show: false } };
    series.push({ label: "forecast", stroke: themeColor("soft"), ...dashed });
    series.push({ label: "earliest", stroke: themeColor("line"), ...dashed }, { label: "latest", stroke: themeColor("line"), ...dashed });
    lines.push(line("value"), line("soonest"), line("latest"));
    const index = data.series.length + 2;
    bands.push({ series: [index, index + 1], fill: themeColor("line") }, { series: [index + 1, index], fill: themeColor("line") });
  }
  return { times, lines, series, bands };
}

async function drawChart(figure) {
  const response = await fetch(figure.dataset.chart);
  if (!response.ok) { figure.hidden = true; return; }
  const data = await response.json();
  const shown = withForecast(data);
  const clock = (_plot, times, _axis, _space, step) => times.map((at) => {
    const text = new Date(at * 1000).toISOString();
    return step >= 86400 ? text.slice(5, 10) : step >= 3600 && at % 86400 === 0 ? text.slice(5, 10) : text.slice(11, 16);
  });
  const axis = { stroke: themeColor("soft"), grid: { stroke: themeColor("line"), width: 1 }, ticks: { stroke: themeColor("line") } };
  const options = {
    width: figure.clientWidth, height: 220, series: [{}, ...shown.series], bands: shown.bands,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    axes: [{ ...axis, values: clock }, { ...axis, size: 56 }],
    scales: {
      x: { range: (_plot, min, max) => [Math.min(data.since, min ?? data.since), Math.max(data.until, max ?? data.until)] },
      y: { range: (_plot, min, max) => [Math.min(0, min ?? 0), (max || 1) * 1.08] },
    },
    legend: { show: data.series.length > 1 || data.ahead.length > 0 },
    plugins: [markPlugin(data)],
  };
  figure.replaceChildren();
  const plot = new uPlot(options, [shown.times, ...shown.lines], figure);
  new ResizeObserver(() => plot.setSize({ width: figure.clientWidth, height: 220 })).observe(figure);
}

function drawCharts() {
  if (window.uPlot) for (const figure of all("[data-chart]")) drawChart(figure);
}

// Keys

function moveFocus(step) {
  const rows = all("[data-row]");
  if (!rows.length) return;
  const index = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, index + step))];
  $("h2 a", next).focus();
  next.scrollIntoView({ block: "nearest" });
}

function clickKeyTarget(key) {
  const row = document.activeElement?.closest?.("[data-row]");
  const target = $(`[data-key="${key}"]`, row ?? document);
  if (!target) return false;
  target.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // A field of a dialog that was just closed keeps the focus for a moment; nobody types in it.
  if (event.target.closest("dialog[open], :is(input, textarea, select):not(dialog *)")) return;
  const steps = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps && $("[data-row]")) moveFocus(steps[event.key]);
  else if (event.key === "?") $("#help").showModal();
  else if (event.key === "/" && $("input[type=search]")) $("input[type=search]").focus();
  else if (event.key === "u" && !$('[data-key="u"]')) location.assign("/");
  else if ("acvu".includes(event.key) && event.key.length === 1) { if (!clickKeyTarget(event.key)) return; }
  else return;
  event.preventDefault();
});

// Clicks

document.addEventListener("click", (event) => {
  const copying = event.target.closest("[data-copy]");
  if (copying) copy(copying).catch(() => announce("The daemon does not respond"));
  if (event.target.closest("[data-help]")) $("#help").showModal();
  const closing = event.target.closest("dialog [data-close]");
  if (closing) { event.preventDefault(); closing.closest("dialog").close(); }
});

document.addEventListener("change", (event) => {
  const box = event.target.closest("input[data-tick]");
  if (box) storeItem(`tick-${box.dataset.tick}`, box.checked ? "1" : "");
});

// After a swap: a form opens as a dialog; times and check boxes are updated

const dialog = $("#dialog");
dialog.addEventListener("close", () => { $("#dialog-content").replaceChildren(); });

document.addEventListener("htmx:after:swap", () => {
  // Open each form once: one that was just closed is still there when something else is swapped in.
  const form = $("#dialog-content #form");
  if (form && !form.dataset.shown) { form.dataset.shown = "1"; dialog.showModal(); }
  updateTimes();
  restoreTicks();
});

// The live indicator

function showLive(connected) {
  const sign = $("#live");
  if (!sign) return;
  sign.hidden = false;
  sign.classList.toggle("lost", !connected);
  const text = connected ? "Live" : "Disconnected, reconnecting";
  if (sign.textContent !== text) sign.textContent = text;
}
document.addEventListener("htmx:sse:after:connection", () => showLive(true));
document.addEventListener("htmx:sse:error", () => showLive(false));
document.addEventListener("htmx:sse:close", () => showLive(false));

updateTimes();
setInterval(updateTimes, 10000);
restoreTicks();
drawCharts();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
$(".marked")?.scrollIntoView({ block: "center" });
