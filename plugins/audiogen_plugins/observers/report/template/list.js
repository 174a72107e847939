const SPARE = 4; // rows beyond the edges of the window, so that scrolling shows no gap

/* A list of any length of which only the visible rows are in the page. */
class OutputList extends EventTarget {
  constructor(element, template, marks) {
    super();
    this.element = element;
    this.template = template;
    this.marks = marks;
    this.entries = [];
    this.rows = new Map();
    this.current = null;
    this.playing = false;
    addEventListener("scroll", () => this.#draw(), { passive: true });
    addEventListener("resize", () => this.#measure());
    element.addEventListener("click", (event) => this.#clicked(event));
    this.#measure();
  }

  show(entries) {
    this.entries = entries;
    this.positions = new Map(entries.map((entry, index) => [entry, index]));
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.#measure();
  }

  /* Makes an entry the current one, and brings it into view. */
  choose(entry, playing) {
    this.current = entry;
    this.playing = playing;
    for (const [index, row] of this.rows) this.#refresh(row, this.entries[index]);
  }

  reveal(entry) {
    const index = this.positions.get(entry);
    if (index === undefined) return;
    const hadFocus = this.element.contains(document.activeElement);
    const top = this.#top() + index * this.height;
    const above = Math.max(document.querySelector("header").getBoundingClientRect().bottom, 0);
    const below = innerHeight - this.#covered();
    if (top - scrollY < above) scrollTo({ top: top - above - 8 });
    else if (top + this.height - scrollY > below) scrollTo({ top: top + this.height - below + 8 });
    this.#draw();
    if (hadFocus) this.rows.get(index)?.querySelector(".choose").focus({ preventScroll: true });
  }

  refresh() {
    for (const [index, row] of this.rows) this.#refresh(row, this.entries[index]);
  }

  #top() {
    return this.element.getBoundingClientRect().top + scrollY;
  }

  /* How much of the window's lower edge the player covers on narrow screens. */
  #covered() {
    const { top } = document.getElementById("now").getBoundingClientRect();
    return top > 0 ? innerHeight - top : 0; // beside the list, it begins at the very top
  }

  #measure() {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row"));
    if (height !== this.height) {
      for (const row of this.rows.values()) row.remove();
      this.rows.clear();
      this.height = height;
    }
    this.element.style.height = `${this.entries.length * this.height}px`;
    this.#draw();
  }

  #draw() {
    const start = scrollY - this.#top();
    const first = Math.max(0, Math.floor(start / this.height) - SPARE);
    const last = Math.min(this.entries.length, Math.ceil((start + innerHeight) / this.height) + SPARE);
    for (const [index, row] of this.rows) {
      // A row with the focus stays: taking it away would take the focus from whoever uses keys.
      if ((index < first || index >= last) && !row.contains(document.activeElement)) {
        row.remove();
        this.rows.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) {
      if (!this.rows.has(index)) this.#add(index);
    }
  }

  #add(index) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    const entry = this.entries[index];
    row.style.top = `${index * this.height}px`;
    row.dataset.index = index;
    row.setAttribute("aria-posinset", index + 1);
    row.setAttribute("aria-setsize", this.entries.length);
    row.querySelector(".prompt").textContent = titleOf(entry);
    row.querySelector(".meta").textContent = metaOf(entry);
    fillPictures(row, entry);
    const levels = row.querySelector(".levels");
    if (entry.measured) {
      for (const text of [
        shownSeconds(entry.measured.seconds),
        entry.measured.loudness === null
          ? shownLevel(entry.measured.rms, "dB RMS")
          : shownLevel(entry.measured.loudness, "LUFS"),
        `peak ${shownLevel(entry.measured.peak, "dB")}`,
      ]) {
        levels.append(Object.assign(document.createElement("span"), { textContent: text }));
      }
    }
    if (entry.failed) {
      row.classList.add("failed");
      row.querySelector(".play").disabled = true;
      row.querySelector(".mark").disabled = true;
    }
    this.#refresh(row, entry);
    // In their order, which is that of the keys and of those who listen to the page.
    const following = [...this.rows.keys()].filter((one) => one > index);
    const next = following.length ? this.rows.get(Math.min(...following)) : null;
    this.element.insertBefore(row, next);
    this.rows.set(index, row);
  }

  #refresh(row, entry) {
    const current = entry === this.current;
    const playing = current && this.playing;
    const play = row.querySelector(".play");
    const mark = row.querySelector(".mark");
    if (current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    setIcon(play, playing ? "pause" : "play");
    play.setAttribute("aria-label", `${playing ? "Pause" : "Play"}: ${titleOf(entry)}`);
    mark.setAttribute("aria-label", `Mark: ${titleOf(entry)}`);
    mark.setAttribute("aria-pressed", !entry.failed && this.marks.has(entry.file));
  }

  #clicked(event) {
    const row = event.target.closest("li");
    if (!row) return;
    const entry = this.entries[row.dataset.index];
    const what = event.target.closest(".mark") ? "mark" : event.target.closest(".play") ? "play" : "choose";
    this.dispatchEvent(new CustomEvent(what, { detail: entry }));
  }
}

function metaOf(entry) {
  if (entry.failed) return `failed: ${entry.cause}`;
  if (entry.problem) return `cannot be read: ${entry.problem}`;
  const { settings } = entry;
  return [
    entry.seed && `seed ${entry.seed}`,
    settings.sampler_type,
    settings.steps && `${settings.steps} steps`,
    settings.cfg_scale && `cfg ${settings.cfg_scale}`,
    entry.negative && `not: ${entry.negative}`,
    settings.format,
  ].filter(Boolean).join(" · ");
}

/* The waveform and the spectrogram of an entry, in the elements of a row or of the player. */
function fillPictures(parent, entry) {
  const path = entry.measured ? wavePath(entry.measured.wave) : "";
  for (const one of parent.querySelectorAll(".wave path")) one.setAttribute("d", path);
  const image = parent.querySelector(".pictures img");
  image.hidden = !entry.measured;
  if (entry.measured) image.src = entry.measured.spectrogram;
  else image.removeAttribute("src");
}
