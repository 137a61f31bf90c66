/** Small drawings beside words; a screen reader hears the words. */

const SHAPES = {
  again: "M4 12a8 8 0 1 0 2.3-5.6L4 8.5M4 3.5v5h5",
  back: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11m-5-4.5l5 5 5-5M5 20h14",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  leave: "M14 4H5v16h9M10 12h10m-4-4l4 4-4 4",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  plus: "M12 5v14M5 12h14",
  warning: "M12 4l9 16H3zM12 10v4m0 3v.01",
};

export function Icon({ of }: { of: keyof typeof SHAPES }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[of]} />
    </svg>
  );
}
