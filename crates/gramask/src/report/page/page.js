"use strict";
/* The page without this script has all figures and tables. With it: the table sorts, tables and figures can be saved, the ground can
   be switched, and the documents can be read. Names of one letter are those of browse.rs. */
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "style") element.style.cssText = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...inside.flat().filter((part) => part !== null && part !== undefined));
    return element;
  };

  /* Light and dark. */
  const wants = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => { try { return localStorage.getItem("gramask-theme"); } catch { return null; } })();
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  const isDark = () => (document.documentElement.dataset.theme ?? (wants.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { $("theme").textContent = isDark() ? "Light" : "Dark"; };
  const switchTheme = () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("gramask-theme", document.documentElement.dataset.theme); } catch { /* a page from a file may not */ }
    nameTheme();
  };
  $("theme").addEventListener("click", switchTheme);
  wants.addEventListener("change", nameTheme);
  nameTheme();

  /* Help. */
  const help = $("help");
  $("help-open").addEventListener("click", () => help.showModal());

  /* Sorting: numbers from great to small first, names from a to z; the third time as it was. */
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const order = head.classList.contains("number") ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
      const next = order[(order.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      if (next === "none") return body.append(...original);
      const sign = next === "ascending" ? 1 : -1;
      const key = (row) => { const cell = row.cells[column]; return "key" in cell.dataset ? Number(cell.dataset.key) : null; };
      const text = (row) => row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null && y === null) return head.classList.contains("number") ? 0 : sign * text(a).localeCompare(text(b));
        if (x === null) return 1; // what is not known comes last either way
        if (y === null) return -1;
        return sign * (x - y);
      };
      body.append(...[...original].sort(compare));
    }));
  }

  /* A table or figure that is wider than the page says so, and fades at the side where it goes on. */
  const hint = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      const wider = box.scrollWidth > box.clientWidth + 1;
      box.classList.toggle("wider", wider);
      box.classList.toggle("more", wider && box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    }
  };
  for (const box of document.querySelectorAll(".scroll")) box.addEventListener("scroll", hint, { passive: true });
  for (const details of document.querySelectorAll("details.data")) details.addEventListener("toggle", hint);
  addEventListener("resize", hint);
  hint();

  /* Saving. */
  const save = (name, type, text) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const quoted = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  for (const button of document.querySelectorAll("[data-csv]")) {
    button.addEventListener("click", () => {
      const rows = [...$(button.dataset.csv).querySelectorAll("table.plain tr")];
      const lines = rows.map((row) => [...row.cells].map((cell) => quoted(cell.textContent)).join(","));
      save(`${button.dataset.csv}.csv`, "text/csv", `${lines.join("\n")}\n`);
    });
  }
  for (const button of document.querySelectorAll("[data-svg]")) {
    button.addEventListener("click", () => {
      const svg = new XMLSerializer().serializeToString($(button.dataset.svg).querySelector("svg"));
      save(`${button.dataset.svg}.svg`, "image/svg+xml", svg);
    });
  }

  const source = $("data");
  const browser = source ? browse(JSON.parse(source.textContent)) : null;

  /* Keys. */
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const field = event.target.closest("input, select, textarea");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    const keys = {
      "?": () => help.showModal(),
      d: switchTheme,
      "/": () => browser?.search(),
      j: () => browser?.move(1),
      k: () => browser?.move(-1),
      ArrowRight: () => browser?.step(1),
      ArrowLeft: () => browser?.step(-1),
      Home: () => browser?.step(-Infinity),
      End: () => browser?.step(Infinity),
      n: () => browser?.refused(),
      "[": () => browser?.across(-1),
      "]": () => browser?.across(1),
    };
    const inList = event.target.id === "list";
    if (inList && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      browser.move(event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
    } else if (keys[event.key]) {
      // Arrows scroll tables that are wider than the page, and Home and End the page where no trace is open.
      const scrolls = event.key.startsWith("Arrow") && event.target.closest(".scroll");
      const paging = event.key === "Home" || event.key === "End";
      if (scrolls || (paging && !event.target.closest("#view, #list"))) return;
      if (keys[event.key]() !== false) event.preventDefault();
    }
  });

  /* ------------------------------------------------------------------------------------------------------------ Documents */

  function browse(data) {
    const VERDICTS = {
      c: "agrees", b: "wrong boundary", t: "wrong label", x: "boundary and label wrong", s: "spurious", m: "missed",
    };
    const OUTCOMES = ["read, nothing objected", "read, an entity refused", "read, the copy is wrong", "does not parse", "cut off", "not decoded"];
    const FAULTS = {
      "syntax": "does not parse", "not-in-document": "not in the document", "unknown-label": "unknown label",
      "disagree": "parts disagree", "duplicate": "said twice", "copy-failed": "the copy is wrong", "not-decoded": "not decoded",
    };
    const pair = data.runs.length > 1;
    const several = (part) => data.cells.some((cell) => part === "strategy"
      ? data.cells.some((other) => other.level === cell.level && other.strategy !== cell.strategy) // else the level tells
      : cell[part] !== data.cells[0][part]);
    const named = ["corpus", "model", "format", "level", "strategy"].filter((part) => part === "format" || part === "level" || several(part));
    const cellName = (cell) => named.map((part) => data.cells[cell][part]).join(" · ");

    const seeded = (seed) => seed === null || seed === undefined ? "" : ` · seed ${seed}`;

    /* One item for each document of each cell and seed; of two runs both outputs. */
    const items = [];
    data.docs.forEach((doc) => {
      const cells = new Map();
      for (const out of doc.o) {
        const key = `${out.c} ${out.s}`;
        cells.set(key, [...(cells.get(key) ?? []), out]);
      }
      for (const outs of cells.values()) {
        if (pair && outs.length < 2) continue;
        const [{ c: cell, s: seed }] = outs;
        items.push({ doc, cell, seed, outs, name: cellName(cell) + seeded(seed), marks: marksOf(outs), text: null });
      }
    });
    items.sort((a, b) => a.cell - b.cell);

    function marksOf(outs) {
      const marks = new Set();
      for (const out of outs) {
        for (const [kind] of out.v) marks.add(kind);
        for (const [kind] of out.f ?? []) marks.add(kind);
        if (out.k === 4) marks.add("cut");
        if (out.a !== undefined) marks.add("repaired");
        if ((out.z ?? []).some((token) => token[7] !== null && token[7] !== undefined)) marks.add("refused");
        if (out.v.every(([kind]) => kind === "c") && !out.f) marks.add("right");
      }
      if (pair) {
        const said = (out) => JSON.stringify([...out.e].map((entity) => JSON.stringify(entity)).sort());
        marks.add(said(outs[0]) === said(outs[1]) ? "same" : "changed");
      }
      return marks;
    }

    const KINDS = [
      ["", "all outputs"],
      ...(pair ? [["changed", "changed"], ["same", "unchanged"]] : []),
      ["right", "all right"], ["m", "with a missed entity"], ["s", "with a spurious entity"], ["b", "with a wrong boundary"],
      ["t", "with a wrong label"], ["x", "with both wrong"], ["syntax", "does not parse"], ["cut", "cut off"], ["copy-failed", "the copy is wrong"],
      ["not-in-document", "entity not in the document"], ["unknown-label", "unknown label"], ["disagree", "parts disagree"],
      ["duplicate", "said twice"], ["not-decoded", "not decoded"], ["repaired", "repaired"], ["refused", "the mask changed the arg-max"],
    ].filter(([kind]) => kind === "" || items.some((item) => item.marks.has(kind)));
    const filters = {};
    for (const part of ["corpus", "model", "format", "level", "strategy"]) {
      const select = $(`f-${part}`);
      const values = [...new Set(data.cells.map((cell) => cell[part]))];
      if (values.length < 2 || !several(part)) select.parentElement.hidden = select.parentElement.style.display = "none";
      select.append(make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
      filters[part] = select;
    }
    filters.kind = $("f-kind");
    filters.kind.append(...KINDS.map(([value, name]) => make("option", { value }, name)));
    if (pair) filters.kind.value = "changed";
    filters.search = $("search");

    const list = $("list"), rows = $("rows"), view = $("view");
    let shown = [], at = -1, token = 0, tokens = [], opened = false;

    const haystack = (item) => item.text ??= [item.doc.id, item.doc.t ?? "", ...item.outs.map((out) => out.x)].join("\n").toLowerCase();

    function filter() {
      const kept = shown[at];
      const words = filters.search.value.trim().toLowerCase();
      shown = items.filter((item) => {
        const cell = data.cells[item.cell];
        for (const part of ["corpus", "model", "format", "level", "strategy"]) {
          if (filters[part].value && cell[part] !== filters[part].value) return false;
        }
        return (!filters.kind.value || item.marks.has(filters.kind.value)) && (!words || haystack(item).includes(words));
      });
      $("count").textContent = `${shown.length.toLocaleString("en")} of ${items.length.toLocaleString("en")} outputs`;
      rows.style.height = `${shown.length * rowHeight()}px`;
      const place = shown.indexOf(kept);
      if (place < 0) list.scrollTop = 0;
      select(place < 0 ? first() : place);
    }
    /* The page opens on an output that a mask was at work on, with a trace if there is one: most of what it can show is there. */
    function first() {
      const masked = (item) => data.cells[item.cell].level !== "none" && item.outs.some((out) => out.k < 5);
      const traced = (item) => item.outs.some((out) => out.z);
      const places = [shown.findIndex((item) => masked(item) && traced(item)), shown.findIndex(masked), 0];
      return opened ? 0 : places.find((place) => place >= 0);
    }
    $("filters").addEventListener("input", filter);
    $("filters").addEventListener("submit", (event) => event.preventDefault());

    /* The list: only the rows in sight are there. */
    const rowHeight = () => 3.5 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    function draw() {
      const height = rowHeight();
      const first = Math.max(0, Math.floor(list.scrollTop / height) - 4);
      const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / height) + 4);
      rows.replaceChildren();
      for (let place = first; place < last; place++) rows.append(row(place, height));
      if (shown.length === 0) rows.append(make("p", { class: "empty", style: "padding: .6rem" }, "No output is like this."));
    }
    function row(place, height) {
      const { doc, name, outs } = shown[place];
      return make("div", {
        class: "row", role: "option", id: `row-${place}`, "aria-selected": String(place === at), style: `top: ${place * height}px`,
        onclick: () => { select(place); list.focus({ preventScroll: true }); },
      },
      make("div", { class: "what" }, make("b", {}, name), ...outs.map(counts)),
      make("div", {}, doc.t ?? doc.id));
    }
    function counts(out) {
      if (out.k >= 3) return make("span", { class: "tally k-s" }, OUTCOMES[out.k]);
      const of = (kinds) => out.v.filter(([kind]) => kinds.includes(kind)).length;
      const parts = [[of("c"), "✓", "k-c", "right"], [of("btx"), "≈", "k-b", "nearly"], [of("s") + (out.f ?? []).length, "+", "k-s", "spurious or refused"], [of("m"), "−", "k-m", "missed"]];
      return make("span", { class: "tally" }, parts.filter(([count]) => count > 0).map(([count, sign, tone, word]) =>
        make("i", { class: tone, title: `${count} ${word}` }, `${sign}${count}`)));
    }
    list.addEventListener("scroll", draw);
    addEventListener("resize", draw);

    function select(place) {
      at = shown.length === 0 ? -1 : Math.max(0, Math.min(shown.length - 1, place));
      const height = rowHeight(), top = at * height;
      if (at >= 0 && top < list.scrollTop) list.scrollTop = top;
      if (at >= 0 && top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
      draw();
      list.setAttribute("aria-activedescendant", at < 0 ? "" : `row-${at}`);
      show();
    }

    function show() {
      tokens = [];
      if (at < 0) return view.replaceChildren(make("p", { class: "empty" }, "No output to show."));
      const { doc, name, outs } = shown[at];
      view.replaceChildren(make("h3", {}, doc.id), make("p", { class: "meta" }, name));
      if (doc.t === null) view.append(make("p", { class: "empty" }, "The text of this document is not at hand; entities are shown by their characters."));
      for (const out of outs) view.append(...output(doc, out));
      if (!pair) view.append(...others(doc, outs[0]));
      if (tokens.length > 0) stepTo(firstRefused());
    }

    function output(doc, out) {
      const parts = [];
      if (pair) parts.push(make("h3", {}, data.runs[out.r]));
      if (doc.t !== null) parts.push(sentence(doc, out), key(out));
      parts.push(entityTable(doc, out));
      if (out.f) {
        parts.push(make("h3", {}, "Objections"), make("ul", { class: "faults" }, out.f.map(([kind, label, message]) =>
          make("li", {}, make("b", {}, FAULTS[kind]), label ? ` (${label})` : "", message ? `: ${message}` : ""))));
      }
      parts.push(make("h3", {}, "Output"));
      if (out.p) parts.push(make("pre", { class: "output", tabindex: 0 }, make("span", { class: "quiet" }, out.p)));
      parts.push(make("pre", { class: "output", tabindex: 0 }, out.x || make("span", { class: "quiet" }, "(nothing)")));
      if (out.a !== undefined) parts.push(make("h3", {}, "Repaired to"), make("pre", { class: "output", tabindex: 0 }, out.a));
      const [prompt, all, sampled, forced, drafted] = out.n;
      const ways = [[sampled, "sampled"], [forced, "forced"], [drafted, "drafted"]].filter(([count]) => count > 0);
      const figures = [OUTCOMES[out.k], `${all} tokens (${ways.map(([count, way]) => `${count} ${way}`).join(", ") || "none"}) after ${prompt} of the prompt`];
      if (out.q) figures.push("squeezed by the budget");
      if (out.m) figures.push(`removed ${percent(out.m)} per token`);
      if (out.w) figures.push(`log weight ${signed(out.w, 2)}`);
      parts.push(make("p", { class: "meta" }, figures.join(" · ")));
      if (out.i) parts.push(...prompts(out, prompt));
      if (out.z) parts.push(...trace(out));
      return parts;
    }

    /* The prompts of all passes, as the model got them. */
    function prompts(out, count) {
      const several = out.i.length > 1;
      return [make("details", { class: "prompt" }, make("summary", {}, `The prompt${several ? "s" : ""}, ${count} tokens`),
        out.i.flatMap(([beginning, rest], pass) => [several ? make("p", { class: "meta" }, `pass ${pass + 1}`) : null,
          make("pre", { class: "output", tabindex: 0 }, data.beginnings[beginning] + rest)]))];
    }

    /* ---------------------------------------------------------------------------------------------- Sentences with entities */

    function sentence(doc, out) {
      const characters = Array.from(doc.t);
      const kinds = { gold: Array(doc.g.length).fill("m"), said: Array(out.e.length).fill("s") };
      for (const [kind, gold, said] of out.v) {
        if (gold !== null) kinds.gold[gold] = kind;
        if (said !== null) kinds.said[said] = kind;
      }
      const tracks = [["gold", doc.g], ["said", out.e]].map(([side, entities]) => layOut(side, entities, kinds[side]));
      const deepest = tracks.map((pieces) => 1 + Math.max(-1, ...pieces.map((piece) => piece.row)));
      const pieces = tracks.flat();
      /* Cut at every end of an entity and around every blank, so that a line can break and a bar does not. */
      const cuts = new Set([0, characters.length]);
      for (const { start, end } of pieces) cuts.add(start).add(end);
      characters.forEach((character, place) => { if (/\s/.test(character)) cuts.add(place).add(place + 1); });
      const places = [...cuts].sort((a, b) => a - b);
      const spans = [];
      for (let i = 0; i + 1 < places.length; i++) {
        const [from, to] = [places[i], places[i + 1]];
        const over = pieces.filter((piece) => piece.start <= from && piece.end >= to);
        const text = characters.slice(from, to).join("");
        if (over.length === 0) { spans.push(text); continue; }
        spans.push(make("span", { class: "s" }, text, over.map((piece) =>
          make("span", { class: `bar ${piece.side} k-${piece.kind}`, style: `--row: ${piece.row}` },
            piece.start === from ? make("span", { class: `tag k-${piece.kind}` }, piece.tag) : null))));
      }
      const line = 1.4 + deepest[0] * 0.9 + deepest[1] * 0.9;
      return make("p", {
        class: "sentence", lang: "en", style: `line-height: ${line}; padding-top: ${deepest[0] * .4}em; padding-bottom: ${deepest[1] * .5}em`,
      }, spans);
    }

    /* Pieces of entities in rows, so that none covers another of its side; the fragments of one share a row and a number. */
    function layOut(side, entities, kinds) {
      const order = entities.map((entity, number) => ({ entity, number, start: entity[1][0], end: entity.at(-1)[1] }))
        .sort((a, b) => a.start - b.start || b.end - a.end);
      const ends = [];
      let broken = 0;
      return order.flatMap(({ entity: [label, ...fragments], number, start, end }) => {
        let place = ends.findIndex((reached) => reached <= start);
        if (place < 0) place = ends.length;
        ends[place] = end;
        const mark = fragments.length > 1 ? ` ${"①②③④⑤⑥⑦⑧⑨"[broken++ % 9]}` : "";
        return fragments.map(([from, to], part) => ({
          side, kind: kinds[number], row: place, start: from, end: to,
          tag: part === 0 ? abbreviated(label, to - from, mark) : mark.trim(),
        }));
      });
    }
    /* A tag is little wider than its mention, so that neighbours' tags do not run into each other; the table has the whole label. */
    function abbreviated(label, characters, mark) {
      const room = Math.max(3, Math.round(characters * 1.45) - mark.length);
      return (label.length <= room ? label : `${label.slice(0, Math.max(2, room - 1))}.`) + mark;
    }

    function key(out) {
      const kinds = [...new Set(out.v.map(([kind]) => kind))];
      const order = ["c", "b", "t", "x", "s", "m"].filter((kind) => kinds.includes(kind));
      if (order.length === 0) return make("p", { class: "meta" }, "No entity, gold or predicted.");
      return make("ul", { class: "key", "aria-label": "Key" }, make("li", {}, "above: gold, below: predicted"),
        order.map((kind) => make("li", {}, make("i", { class: `bar k-${kind}` }), VERDICTS[kind])));
    }

    function entityTable(doc, out) {
      if (out.v.length === 0) return null;
      const characters = doc.t === null ? null : Array.from(doc.t);
      const words = ([, ...fragments]) => fragments.map(([from, to]) =>
        characters ? characters.slice(from, to).join("") : `${from}–${to}`).join(" … ");
      const cell = (entity) => entity ? make("td", {}, words(entity), " ", make("small", { class: "meta" }, entity[0])) : make("td", {}, "–");
      const lines = out.v.map(([kind, gold, said]) => make("tr", {}, make("td", { class: `k-${kind}` }, VERDICTS[kind]),
        cell(gold === null ? null : doc.g[gold]), cell(said === null ? null : out.e[said])));
      return make("details", { open: lines.length <= 6 }, make("summary", {}, `${lines.length} ${lines.length === 1 ? "entity" : "entities"} one by one`),
        make("table", { class: "entities" }, make("thead", {}, make("tr", {}, ["", "gold", "predicted"].map((head) => make("th", { scope: "col" }, head)))),
          make("tbody", {}, lines)));
    }

    function others(doc, shownOut) {
      if (doc.o.length < 2) return [];
      return [make("h3", {}, "The same document in the other cells"), make("div", { class: "others" }, doc.o.map((out) =>
        make("button", { type: "button", "aria-current": out === shownOut ? "true" : null, onclick: () => go(doc, out) },
          cellName(out.c) + seeded(out.s), " ", counts(out))))];
    }
    function go(doc, out) {
      const find = () => shown.findIndex((item) => item.doc === doc && item.outs[0] === out);
      if (find() < 0) {
        for (const part of ["corpus", "model", "format", "level", "strategy", "kind", "search"]) filters[part].value = "";
        filter();
      }
      select(find());
    }

    /* -------------------------------------------------------------------------------------------------------------- Traces */

    const percent = (share) => {
      if (share === 0) return "0 %";
      if (share === 1) return "100 %";
      const digits = share < 0.001 || share > 0.999 ? 3 : 1;
      return `${Math.min(Math.max(100 * share, 10 ** -digits), 100 - 10 ** -digits).toFixed(digits)} %`;
    };
    const signed = (value, digits) => value.toFixed(digits).replace("-", "\u2212");
    const visible = (text) => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ +| +$/g, (blanks) => "␣".repeat(blanks.length));
    const CHOSEN = ["sampled", "forced", "drafted"];

    function trace(out) {
      const here = [];
      const strip = make("div", { class: "trace", role: "group", "aria-label": "Tokens of the output" });
      const step = make("div", { class: "step", role: "status" });
      out.z.forEach((record, number) => {
        const [text, chosen, , , removed, , , wanted] = record;
        const button = make("button", {
          type: "button", class: `token ${CHOSEN[chosen]}${wanted !== null && wanted !== undefined ? " changed" : ""}`,
          "aria-pressed": "false", tabindex: -1, title: `${visible(text)}: ${CHOSEN[chosen]}`,
          onclick: () => { tokens = here; stepTo(number); },
        }, make("span", { class: "col", style: `--removed: ${removed ?? 0}` }), make("span", { class: "word" }, visible(text)));
        strip.append(button);
        here.push({ button, record, step, strip });
      });
      if (tokens.length === 0) tokens = here;
      const move = (label, by, key) => make("button", { type: "button", class: "tool", "aria-label": label, onclick: () => { tokens = here; stepBy(by); } }, key);
      return [make("h3", {}, "How it came about"),
        make("div", { class: "stepper" }, move("Previous token", -1, "←"), move("Next token", 1, "→"),
          make("span", {}, "column: probability removed · dotted line: forced · double line: drafted · • the model wanted another")),
        strip, step];
    }
    const firstRefused = () => Math.max(0, tokens.findIndex(({ button }) => button.classList.contains("changed")));
    function stepBy(by) {
      if (tokens.length === 0) return false;
      stepTo(Math.max(0, Math.min(tokens.length - 1, token + by)));
    }
    function stepTo(place) {
      token = place;
      tokens.forEach(({ button }, number) => {
        button.setAttribute("aria-pressed", String(number === place));
        button.tabIndex = number === place ? 0 : -1;
      });
      const { record, step, button, strip } = tokens[place];
      if (strip.contains(document.activeElement)) button.focus({ preventScroll: true });
      step.replaceChildren(...told(record, place));
    }
    const code = (text) => make("code", {}, visible(text));
    function told([text, chosen, logp, rank, removed, entropy, after, wanted, wantedLogp, allowed, forced, pass, byBudget, wantedByBudget], place) {
      const story = [];
      const ordinal = (rank) => rank === 0 ? "its first choice" : `its choice number ${rank + 1}`;
      const asked = logp !== null && logp !== undefined;
      if (chosen === 1) story.push("The constraint left no choice: ", code(text), " was appended without asking the model", asked ? `, which would have given it ${percent(Math.exp(logp))}` : "", ".");
      else {
        story.push(chosen === 2 ? ["The draft proposed ", code(text), " and the model confirmed it: it gave it "] : ["The model gave ", code(text), " "],
          `${percent(Math.exp(logp))} (${ordinal(rank)}).`);
      }
      if (wanted) story.push(" It wanted ", code(wanted), ` (${percent(Math.exp(wantedLogp))}), ${wantedByBudget ? "which the grammar allows, but which leaves too few tokens of the budget to finish the output" : "which the grammar forbids here"}.`);
      else if (wanted === "") story.push(" The mask refused its first choice.");
      if (removed > 0) story.push(` The mask removed ${percent(removed)} of the probability${byBudget > 0 ? `: the grammar ${percent(removed - byBudget)}, the budget ${percent(byBudget)}` : ""}.`);
      if (forced && chosen !== 1) story.push(" Here the constraint forces the text ", code(forced), "; only how it is cut into tokens was open.");
      else if (forced && forced !== text) story.push(" The whole text that it forces here is ", code(forced), ".");
      const known = (value) => value !== null && value !== undefined;
      const facts = [
        ["token", `${place + 1} of ${tokens.length}${pass ? `, pass ${pass + 1}` : ""}`],
        asked && ["log probability", signed(logp, 3)],
        known(rank) && ["rank", String(rank + 1)],
        known(allowed) && ["tokens allowed", allowed.toLocaleString("en")],
        known(removed) && ["probability removed", make("span", {}, make("span", { class: "meter", style: `--share: ${removed}`, "aria-hidden": "true" }), ` ${percent(removed)}`)],
        known(entropy) && ["entropy, nats", known(after) ? `${entropy.toFixed(2)}, after the mask ${after.toFixed(2)}` : entropy.toFixed(2)],
      ].filter(Boolean);
      return [make("p", { class: "story" }, story.flat()), make("dl", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))))];
    }

    $("browser").hidden = false;
    filter();
    opened = true;
    return {
      search: () => filters.search.focus(),
      move: (by) => select(at + by),
      step: (by) => stepBy(by),
      refused: () => {
        const next = tokens.findIndex(({ button }, place) => place > token && button.classList.contains("changed"));
        if (next < 0) return false;
        stepTo(next);
      },
      across: (by) => {
        const item = shown[at];
        if (!item || pair) return false;
        const next = item.doc.o[item.doc.o.indexOf(item.outs[0]) + by];
        if (next === undefined) return false;
        go(item.doc, next);
      },
    };
  }
})();
