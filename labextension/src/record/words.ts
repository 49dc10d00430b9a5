/**
 * The signs and forms that records share on every surface: the same as the Python package's `display/words.py`.
 */
import type { Action, ChangeStatus, IError, ILog } from './record';

/** The sign of a status: a reader who sees no colour still sees it. */
export const STATUSES: Readonly<Record<ChangeStatus, string>> = {
  ok: '✓',
  changed: '●',
  planned: '○',
  failed: '✗',
  skipped: '⊘',
  interrupted: '■',
  'not-run': '·',
  unknown: '?'
};

/** Of two statuses the one that people must see first comes first. */
export const URGENCY: readonly ChangeStatus[] = [
  'failed',
  'interrupted',
  'unknown',
  'not-run',
  'changed',
  'planned',
  'ok',
  'skipped'
];

/** The sign of an action, as the plans of infrastructure tools show it. */
export const ACTIONS: Readonly<Record<Action, string>> = {
  create: '+',
  update: '~',
  replace: '±',
  delete: '-',
  run: '▶',
  'no-op': '='
};

// Control sequences of terminals: colours, cursor moves, window titles (ECMA-48, and xterm's OSC).
const CONTROL =
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|[()][0-9A-B])/g;
// What is left of control characters, and those that turn the direction of reading.
const UNPRINTABLE =
  // eslint-disable-next-line no-control-regex -- see above
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Return a program's output as a terminal leaves it: no control sequences, and of a rewritten line its end.
 */
export function readable(text: string): string {
  return text
    .replace(CONTROL, '')
    .replace(/\r\n/g, '\n')
    .split('\n')
    .map(line => line.replace(/\r+$/, ''))
    .map(line => line.slice(line.lastIndexOf('\r') + 1))
    .join('\n')
    .replace(UNPRINTABLE, '\ufffd');
}

/**
 * Return what went wrong, with the resource where the message does not name it.
 */
export function about(error: IError): string {
  const named = error.resource && !error.message.includes(error.resource);
  return readable(
    named ? `${error.resource}: ${error.message}` : error.message
  );
}

/**
 * Return a record's time without its fraction: `2026-11-24 22:42:55 UTC`.
 */
export function shortTime(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`;
}

/**
 * Return how long something took, to a tenth of a second.
 */
export function duration(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/**
 * Return how many lines of a log stand in the file alone, and not in the record.
 */
export function linesBetween(log: ILog): number {
  if (log.tail === null) {
    return 0;
  }
  const lines = (text: string) => text.replace(/\n$/, '').split('\n').length;
  const head = log.head.split('\n').length - 1;
  return Math.max(log.lines - head - lines(log.tail), 0);
}
