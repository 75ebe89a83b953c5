import "@fontsource-variable/public-sans/index.css";
import "./style.css";
import { render } from "preact";
import { App } from "./app";
import { applyAppearance } from "./appearance";
import { loadWords } from "./words";

const root = document.getElementById("portal");
if (root === null) throw new Error("the page has no place for the portal");
applyAppearance();
await loadWords();
render(<App />, root);
