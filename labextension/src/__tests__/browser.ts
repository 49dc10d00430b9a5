// What a browser has, jsdom lacks, and JupyterLab's packages ask for.
Object.assign(globalThis, {
  DragEvent: class DragEvent extends MouseEvent {},
  matchMedia: () => ({ addEventListener: () => {}, matches: false }),
  requestIdleCallback: (callback: () => void) => setTimeout(callback, 0)
});
Object.assign(navigator, { clipboard: {} });
