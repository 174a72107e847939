"use strict";

/* Everything that can be shown, and which of it is wanted in which order. */
class Library {
  constructor(data) {
    this.folder = data.folder;
    this.commons = data.commons;
    this.entries = [
      ...data.outputs.map((one, order) => ({ ...one, order, failed: false })),
      ...data.failures.map((one, order) => ({ ...one, order: data.outputs.length + order, failed: true })),
    ];
    this.byFile = new Map(this.entries.filter((one) => !one.failed).map((one) => [one.file, one]));
    this.facets = facetsOf(this.entries);
  }

  /* The entries that a search, the facets and a kind leave, sorted. */
  select({ query, kind, facets, sort, reverse }, marks) {
    const terms = termsOf(query);
    const chosen = Object.entries(facets).filter(([, value]) => value !== "");
    const found = this.entries.filter(
      (one) =>
        (kind !== "failed" || one.failed) &&
        (kind !== "marked" || (!one.failed && marks.has(one.file))) &&
        chosen.every(([key, value]) => one.settings[key] === value) &&
        terms.every((term) => matches(one, term)),
    );
    if (sort !== "order") {
      const keyed = found.map((entry) => ({ entry, value: valueOf(entry, sort) }));
      keyed.sort((a, b) => compare(a.value, b.value) || a.entry.order - b.entry.order);
      keyed.forEach(({ entry }, index) => { found[index] = entry; });
    }
    return reverse ? found.reverse() : found;
  }
}

const MAX_VALUES = 60; // of a facet: a longer list is what the search is for

/* The settings in which the entries differ, each with its values. */
function facetsOf(entries) {
  const found = new Map();
  for (const { settings } of entries) {
    for (const [key, value] of Object.entries(settings)) {
      if (!found.has(key)) found.set(key, new Set());
      found.get(key).add(value);
    }
  }
  return [...found]
    .filter(([, values]) => values.size > 1)
    .map(([key, values]) => ({ key, values: [...values].sort(compare) }));
}

/* The words of a search; what stands in quotes is one word. */
function termsOf(query) {
  return [...query.toLowerCase().matchAll(/([^\s":]+):"([^"]*)"|"([^"]*)"|(\S+)/g)].map(
    ([, key, quoted, phrase, word]) => {
      if (key !== undefined) return { key, value: quoted };
      if (phrase !== undefined) return { text: phrase };
      const colon = word.indexOf(":");
      return colon > 0 && colon < word.length - 1
        ? { key: word.slice(0, colon), value: word.slice(colon + 1), text: word }
        : { text: word };
    },
  );
}

function matches(entry, term) {
  if (term.key !== undefined) {
    const value = Object.hasOwn(OWN, term.key) ? OWN[term.key](entry) : settingOf(entry, term.key);
    if (value !== undefined) return same(value, term.value);
    if (term.text === undefined) return false;
  }
  entry.text ??= [
    entry.prompt, entry.negative, entry.seed, entry.file, entry.cause ?? "",
    ...Object.values(entry.settings),
  ].join("\n").toLowerCase();
  return entry.text.includes(term.text);
}

function settingOf(entry, key) {
  const name = Object.keys(entry.settings).find((one) => one.toLowerCase() === key);
  return name === undefined ? undefined : entry.settings[name];
}

/* Whether a value is what somebody typed: 7 is 7.0. */
function same(value, wanted) {
  const text = String(value).toLowerCase();
  return text === wanted || (text !== "" && wanted !== "" && Number(text) === Number(wanted));
}

const OWN = {
  prompt: (entry) => entry.prompt,
  negative: (entry) => entry.negative,
  seed: (entry) => entry.seed,
  file: (entry) => entry.file,
  loudness: (entry) => entry.measured?.loudness ?? undefined,
  peak: (entry) => entry.measured?.peak ?? undefined,
  seconds: (entry) => entry.measured?.seconds,
};

function valueOf(entry, key) {
  return Object.hasOwn(OWN, key) ? OWN[key](entry) : entry.settings[key];
}

const WHOLE = /^-?\d+$/;
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/* Numbers by their size, also those that are too large for a double; texts as people sort them. */
function compare(a, b) {
  const [left, right] = [a ?? "", b ?? ""];
  if (left === "" || right === "") return (left === "") - (right === "");
  if (WHOLE.test(left) && WHOLE.test(right)) {
    const [one, other] = [BigInt(left), BigInt(right)];
    return one < other ? -1 : Number(one > other);
  }
  const difference = Number(left) - Number(right);
  return Number.isNaN(difference) ? collator.compare(left, right) : difference;
}
