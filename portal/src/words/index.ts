/**
 * The portal's languages. The text in the source is English; every other language is one file here, from that text to its own.
 * What a file lacks is shown in English; a test holds the French one to be whole.
 */
type Words = Readonly<Record<string, string>>;

const files = import.meta.glob<{ default: Words }>("./*.json");
const KEPT = "mitoyen-language";
let words: Words = {};

/** Their codes, English first. */
export const languages: readonly string[] = ["en", ...Object.keys(files).map((path) => path.slice(2, -5))];

export function language(): string {
  const wanted = [localStorage.getItem(KEPT) ?? "", ...navigator.languages.map((one) => one.slice(0, 2))];
  return wanted.find((one) => languages.includes(one)) ?? "en";
}

/** How dates and numbers are written: for English as in most of the world. */
export function locale(): string {
  return language() === "en" ? "en-GB" : language();
}

export async function loadWords(): Promise<void> {
  const file = files[`./${language()}.json`];
  words = file ? (await file()).default : {};
  document.documentElement.lang = language();
}

export async function chooseLanguage(next: string): Promise<void> {
  localStorage.setItem(KEPT, next);
  await loadWords();
}

/** A text in the reader's language, with what stands in braces put in. */
export function t(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(locale()) : value;
  });
}

/** The same for a count: `one` for 1 (in French for 0 as well), else `many`, where {n} is the count. */
export function tn(n: number, one: string, many: string): string {
  const singular = new Intl.PluralRules(language()).select(n) === "one";
  return t(singular ? one : many, { n });
}
