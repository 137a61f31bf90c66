/** The sign of this program. */

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M16 7a9 9 0 1 0 9 9" />
      <circle cx="16" cy="16" r="3.5" />
    </svg>
  );
}
