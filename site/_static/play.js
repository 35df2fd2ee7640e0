// Widgets that move without a kernel: native controls choose among settings that `tools/play.py`
// drew beforehand. A page has <div class="play" data-play="CompoundScaling">, and this script; the
// settings are loaded when the reader comes near. The address holds what was chosen.
"use strict";
(() => {
const HERE = new URL("play/", document.currentScript.src);
const FRAME = 350; // milliseconds from one picture to the next of what plays
const AFRESH = 1000; // milliseconds after which a move is a new entry of the history
const waiting = new Map(); // name of a widget -> who asked for its settings
const players = [];
const pictures = new Map(); // address -> promise of a decoded picture

window.nasLabPlay = (name, data) => waiting.get(name).forEach(take => take(data));

function settingsOf(name) {
  return new Promise((take, fail) => {
    if (waiting.has(name)) return waiting.get(name).push(take);
    waiting.set(name, [take]);
    const script = make("script", {src: new URL(`${name}/data.js`, HERE), onerror: fail});
    document.head.append(script);
  });
}

function make(kind, look = {}, ...children) {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(look)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function picture(address) {
  if (!pictures.has(address)) {
    const image = make("img", {alt: "", decoding: "sync", src: address});
    pictures.set(address, image.decode().then(() => image, () => image));
  }
  return pictures.get(address);
}

class Player {
  constructor(host) {
    this.host = host;
    this.name = host.dataset.play;
    this.names = host.dataset.controls.split(" ");
    this.start = new URLSearchParams(host.dataset.at || "");
    this.asked = 0;
  }

  // Load the settings, build the controls and show the first setting; once.
  load() {
    this.loading ??= settingsOf(this.name).then(data => {
      this.data = data;
      this.track = data.controls.findIndex(each => each.name === data.track);
      this.first = this.nearest(data.first, this.wanted(this.start));
      this.build();
      return this.show(this.wish ? this.nearest(this.first, this.wanted(this.wish)) : this.first);
    }).catch(error => console.error(error)); // what stands there already, a still, stays
    return this.loading;
  }

  // Places of the values that an address names, by the places of their controls.
  wanted(address) {
    const found = new Map();
    this.data.controls.forEach((control, place) => {
      const value = control.values.indexOf(address.get(control.name));
      if (value >= 0) found.set(place, value);
    });
    return found;
  }

  // The row with these values that is nearest to another row: other controls give way.
  nearest(row, wanted) {
    const {rows, controls} = this.data, from = rows[row][0];
    let best = row, least = Infinity;
    rows.forEach(([values], at) => {
      let far = 0;
      values.forEach((value, place) => {
        const {kind, values: all} = controls[place], to = wanted.get(place) ?? from[place];
        const step = kind === "range" ? Math.abs(value - to) / all.length : Number(value !== to);
        far += wanted.has(place) ? 1e6 * step : step;
      });
      if (far < least) [best, least] = [at, far];
    });
    return best;
  }

  build() {
    const id = `play-${players.indexOf(this)}`;
    this.inputs = this.data.controls.map((control, place) => {
      const input = this.input(control, place);
      input.id = `${id}-${control.name}`;
      return input;
    });
    this.values = this.inputs.map(() => make("output", {ariaHidden: "true"}));
    const fields = this.inputs.map((input, place) => {
      const text = make("label", {htmlFor: input.id}, this.data.controls[place].text);
      const shown = input.type === "range" ? [this.values[place]] : [];
      const parts = input.type === "checkbox" ? [input, text] : [text, input, ...shown];
      return make("div", {className: "play-field"}, ...parts);
    });
    const buttons = [this.button("Reset", () => this.move(this.first, true))];
    if (this.track >= 0) {
      this.player = this.button("Play", () => (this.timer ? this.pause() : this.run()));
      this.player.classList.add("play-run");
      const step = () => { this.pause(); this.move(this.next() ?? this.row, true); };
      buttons.unshift(this.player, this.button("Step", step));
    }
    this.words = make("div", {className: "play-words", role: "status", ariaLive: "polite"});
    this.shown = make("div", {className: "play-pictures"});
    const row = make("div", {className: "play-controls"}, ...fields, ...buttons);
    this.host.replaceChildren(row, this.words, this.shown);
    this.host.classList.add("play-ready");
  }

  input(control, place) {
    const moved = (value, ends) => {
      this.pause();
      this.move(this.nearest(this.row, new Map([[place, Number(value)]])), ends);
    };
    if (control.kind === "menu") {
      const options = control.values.map((_, value) => {
        const row = this.data.rows.find(([values]) => values[place] === value);
        return make("option", {value}, this.data.strings[row[1][place]]);
      });
      const menu = make("select", {}, ...options);
      menu.addEventListener("change", () => moved(menu.value, true));
      return menu;
    }
    if (control.kind === "box") {
      const box = make("input", {type: "checkbox"});
      box.addEventListener("change", () => moved(box.checked ? 1 : 0, true));
      return box;
    }
    const range = make("input", {type: "range", min: 0, max: control.values.length - 1, step: 1});
    range.addEventListener("input", () => moved(range.value, false));
    range.addEventListener("change", () => note(this));
    return range;
  }

  button(text, press) {
    const button = make("button", {type: "button"}, text);
    button.addEventListener("click", press);
    return button;
  }

  move(row, ends) {
    const done = this.show(row);
    if (ends) note(this);
    return done;
  }

  // Controls move at once; words and pictures together, as soon as these are there.
  async show(row) {
    const {data} = this, [values, labels, words, parts, alts] = data.rows[row];
    const asked = (this.asked += 1);
    this.row = row;
    values.forEach((value, place) => {
      const input = this.inputs[place], said = data.strings[labels[place]];
      if (input.type === "checkbox") input.checked = Boolean(value);
      else input.value = value;
      if (input.type === "range") input.setAttribute("aria-valuetext", said);
      this.values[place].textContent = said;
    });
    const layers = await Promise.all(parts.map(part => this.pictures(part)));
    if (asked !== this.asked) return; // moved on meanwhile
    this.words.innerHTML = words.map(word => `<div>${data.strings[word]}</div>`).join("");
    const panels = parts.map((part, place) => {
      const [width, height] = data.parts[part], [ground, ...overs] = layers[place];
      Object.assign(ground, {alt: data.strings[alts[place]], width, height});
      overs.forEach(over => over.classList.add("play-over"));
      const style = `flex:${width} 0 ${Math.round(0.7 * width)}px;max-width:${width}px`;
      return make("div", {className: "play-part", style}, ground, ...overs);
    });
    this.shown.replaceChildren(...panels);
    this.host.dataset.row = row;
    this.prepare();
  }

  pictures(part) {
    const [, , ...files] = this.data.parts[part];
    return Promise.all(files.map(file => picture(new URL(`${this.name}/${file}`, HERE).href)));
  }

  // Load what a reader may look at next.
  prepare() {
    const {rows, controls} = this.data, now = rows[this.row][0];
    controls.forEach(({values}, place) => {
      for (const value of [now[place] + 1, now[place] - 1, now[place] + 2]) {
        if (!(value in values)) continue;
        rows[this.nearest(this.row, new Map([[place, value]]))][3]
          .forEach(part => this.pictures(part).catch(() => {}));
      }
    });
  }

  // The row after this one, undefined at the end.
  next() {
    const value = this.data.rows[this.row][0][this.track] + 1;
    if (value in this.data.controls[this.track].values) {
      return this.nearest(this.row, new Map([[this.track, value]]));
    }
  }

  run() {
    if (this.next() === undefined) this.show(this.nearest(this.row, new Map([[this.track, 0]])));
    this.words.ariaLive = "off"; // pictures go by too quickly to be read out
    this.player.textContent = "Pause";
    const tick = async () => {
      const row = this.next();
      if (row !== undefined) await this.show(row);
      if (row === undefined) this.pause();
      else if (this.timer) this.timer = setTimeout(tick, FRAME);
    };
    this.timer = setTimeout(tick, FRAME);
  }

  pause() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.words.ariaLive = "polite";
    this.player.textContent = "Play";
    note(this);
  }

  // The setting as an address: what differs from the first.
  address() {
    const found = new URLSearchParams(players.length > 1 ? {play: this.name} : {});
    const {rows, controls} = this.data, [first] = rows[this.first];
    rows[this.row][0].forEach((value, place) => {
      if (value !== first[place]) found.set(controls[place].name, controls[place].values[value]);
    });
    return `#${found}`;
  }
}

// Keep the setting in the address; quick moves are one entry of the history.
let noted = -Infinity;
function note(player) {
  const rows = Object.fromEntries(players.map(each => [each.name, each.row]));
  const now = performance.now(), again = now - noted < AFRESH;
  noted = now;
  const keep = again ? "replaceState" : "pushState";
  history[keep]({play: rows}, "", location.pathname + location.search + player.address());
}

// The setting that the address names; nothing where it is that of a heading.
function addressed() {
  return new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
}

// The player that an address means, by its name or by those of its controls; undefined if none.
function meant(address) {
  const names = [...address.keys()].filter(name => name !== "play");
  const knows = player => names.length > 0 && names.every(name => player.names.includes(name));
  return players.find(each => each.name === address.get("play")) ?? players.find(knows);
}

async function follow() {
  const address = addressed(), player = meant(address);
  if (!player) return;
  player.wish = address;
  player.host.scrollIntoView({block: "center"});
  await player.load();
  if (player.data) player.show(player.nearest(player.first, player.wanted(address)));
}

function begin() {
  document.querySelectorAll(".play").forEach(host => players.push(new Player(host)));
  const near = new IntersectionObserver(seen => seen.forEach(({isIntersecting, target}) => {
    const player = players.find(each => each.host === target);
    if (isIntersecting) player.load();
    else if (player.timer) player.pause();
  }), {rootMargin: "400px"});
  players.forEach(each => near.observe(each.host));
  addEventListener("popstate", event => {
    if (!event.state?.play && location.hash) return follow(); // a link was followed
    players.filter(each => each.data).forEach(each => {
      each.show(event.state?.play?.[each.name] ?? each.first);
    });
  });
  follow();
}

if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
else begin();
})();
