/** An address that no page has. */

import { paths } from "../router.ts";

export function Missing() {
  return (
    <section class="empty">
      <h1>There is no such page</h1>
      <p>
        <a href={paths.overview()}>To the fleet</a>
      </p>
    </section>
  );
}
