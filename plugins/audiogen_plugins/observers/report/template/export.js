/* The list and the configs that marked outputs are exported as. */
class Exporter {
  constructor(dialog, library, marks) {
    this.dialog = dialog;
    this.library = library;
    this.marks = marks;
    this.find = (id) => dialog.querySelector(`#${id}`);
    dialog.addEventListener("input", () => this.#show());
    this.find("copy").addEventListener("click", () => this.#copy());
    this.find("save").addEventListener("click", () => this.#save());
  }

  open() {
    this.dialog.showModal();
    this.#show();
  }

  get form() {
    return this.dialog.querySelector("[name=form]:checked").value;
  }

  #show() {
    const entries = this.library.entries.filter((one) => !one.failed && this.marks.has(one.file));
    const list = this.form === "list";
    const copies = Math.min(Math.max(Math.trunc(Number(this.find("copies").value)) || 1, 1), 64);
    const configs = list ? [] : configsOf(entries, this.library.commons, this.form === "vary" ? copies : 0);
    const which = this.find("which");
    const index = Math.min(Math.max(which.selectedIndex, 0), Math.max(configs.length - 1, 0));
    which.replaceChildren(...configs.map((config, number) => new Option(
      `${number + 1} of ${configs.length}: ${shownCount(config.count, "sample")}`, number)));
    which.selectedIndex = configs.length ? index : -1;
    this.find("which-row").hidden = configs.length < 2;
    const name = `marked${configs.length > 1 ? `-${index + 1}` : ""}`;
    this.file = list ? "marked.txt" : `${name}.json`;
    this.find("export-text").value = list
      ? entries.map((one) => `${one.file}\n`).join("")
      : configs[index]?.text(name) ?? "";
    this.find("export-command").textContent =
      configs.length ? `${configs[index].command} --generation-config ${this.file}` : "";
    this.find("export-note").textContent = this.#note(entries, configs, list);
    for (const id of ["copy", "save"]) this.find(id).disabled = !this.find("export-text").value;
  }

  #note(entries, configs, list) {
    if (!entries.length) return "Nothing is marked yet: press M, or the star of an output.";
    const lacking = list ? 0 : entries.filter((one) => !one.recipe).length;
    return [
      lacking && `Left out, for there is no metadata that says how to make them: ${shownCount(lacking, "output")}.`,
      configs.length > 1 && "They differ in more than prompt, seed, steps and scale, or in their model: one config each.",
      !this.marks.kept && "This browser keeps no marks for this page: export them before you close it.",
    ].filter(Boolean).join(" ");
  }

  async #copy() {
    const text = this.find("export-text");
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      document.execCommand("copy"); // files have no clipboard of the other kind in some browsers
    }
    this.#said("copy", "Copied");
  }

  #save() {
    const url = URL.createObjectURL(new Blob([this.find("export-text").value], { type: "text/plain" }));
    Object.assign(document.createElement("a"), { href: url, download: this.file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    this.#said("save", "Saved");
  }

  #said(id, what) {
    const button = this.find(id);
    const before = button.dataset.name ??= button.textContent;
    button.textContent = what;
    setTimeout(() => { button.textContent = before; }, 1500);
  }
}

/* Configs for entries, one for those that can share one: as they are, or with new seeds of each.
   They are joined of texts that Python wrote: numbers stay exactly as they were. */
function configsOf(entries, commons, copies) {
  const groups = new Map();
  for (const { recipe, seed } of entries) {
    if (!recipe) continue;
    if (!groups.has(recipe.common)) groups.set(recipe.common, new Set());
    groups.get(recipe.common).add(copies ? `{${recipe.sample}}` : `{${recipe.sample}, "seed": ${seed}}`);
  }
  return [...groups].map(([index, samples]) => {
    const { generation, output, command, alone } = commons[index];
    const drawn = copies ? `, "batch_size": ${copies}, "seed": -1` : "";
    const folder = copies ? "variations" : "outputs";
    return {
      count: samples.size,
      command: command + (alone && !copies ? " --max-batch 1" : ""),
      text: (name) => `{
  "generation": {${generation}${drawn}},
  "conditioning_defaults": {},
  "input": {"type": "config", "samples": [
    ${[...samples].join(",\n    ")}
  ]},
  "output": {"output_dir": "${name}-${folder}", ${output}}
}
`,
    };
  });
}
