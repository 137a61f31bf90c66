/** Starts the page. */

import { render } from "preact";
import { App } from "./app.tsx";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/job.css";
import "./style/overview.css";
import "./style/forms.css";

const place = document.getElementById("app");
if (place) {
  render(<App />, place);
}
