/**
 * Rows of tasks on hosts as a matrix: the same as the Python package's `matrix.py` and `display/matrix.py`.
 */
import type { ChangeStatus, IChange } from './record';
import { URGENCY } from './words';

/** The kinds of rows that are cells of a matrix. */
const KINDS = ['task', 'handler'];
/** So many hosts of one row are named. */
const NAMES = 6;

export interface ITask {
  name: string;
  /** What became of it on each host. */
  hosts: Map<string, ChangeStatus>;
}

export interface IMatrix {
  hosts: string[];
  tasks: ITask[];
}

/**
 * Tell if a row is of a task on a host.
 */
export function isTask(row: IChange): boolean {
  return KINDS.includes(row.kind);
}

/**
 * Split the name of a row, `web1: install nginx`: no host's name has a colon and a space.
 */
export function hostAndTask(resource: string): [string, string] {
  const at = resource.indexOf(': ');
  return at < 0
    ? [resource, '']
    : [resource.slice(0, at), resource.slice(at + 2)];
}

/**
 * Return the rows that are of tasks as a matrix: tasks in the order that they came, hosts by name.
 */
export function matrix(rows: readonly IChange[]): IMatrix {
  const tasks = new Map<string, Map<string, ChangeStatus>>();
  const hosts = new Set<string>();
  for (const row of rows.filter(isTask)) {
    const [host, task] = hostAndTask(row.resource);
    const byHost = tasks.get(task) ?? new Map<string, ChangeStatus>();
    tasks.set(task, byHost.set(host, row.status));
    hosts.add(host);
  }
  const order = new Intl.Collator('en', { numeric: true });
  return {
    hosts: [...hosts].sort(order.compare),
    tasks: [...tasks].map(([name, byHost]) => ({ name, hosts: byHost }))
  };
}

/**
 * Return how many there are of each status, the most urgent first.
 */
export function counts(
  statuses: Iterable<ChangeStatus>
): [ChangeStatus, number][] {
  const found = new Map<ChangeStatus, number>();
  for (const status of statuses) {
    found.set(status, (found.get(status) ?? 0) + 1);
  }
  return [...found].sort(
    ([one], [other]) => URGENCY.indexOf(one) - URGENCY.indexOf(other)
  );
}

/**
 * Return rows with those of a task that say the same of several hosts as one: `web1, web2: install nginx`.
 */
export function grouped(rows: readonly IChange[]): IChange[] {
  const alike = new Map<string, IChange[]>();
  rows.forEach((row, index) => {
    const task = hostAndTask(row.resource)[1];
    const said = [task, row.kind, row.action, row.status, row.reason, row.diff];
    const key = JSON.stringify(isTask(row) ? said : index);
    const some = alike.get(key);
    if (some) {
      some.push(row);
    } else {
      alike.set(key, [row]);
    }
  });
  return [...alike.values()].map(some => {
    if (some.length === 1) {
      return some[0];
    }
    const names = some.map(row => hostAndTask(row.resource)[0]);
    const more =
      names.length > NAMES ? ` and ${names.length - NAMES} more` : '';
    const task = hostAndTask(some[0].resource)[1];
    const resource = `${names.slice(0, NAMES).join(', ')}${more}: ${task}`;
    return { ...some[0], resource };
  });
}
