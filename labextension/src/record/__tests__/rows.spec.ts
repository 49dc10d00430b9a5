import { example, load } from '../../__tests__/examples';
import { grouped, isTask, matrix } from '../matrix';
import { linesBetween, readable } from '../words';

interface IShown {
  hosts: string[];
  tasks: string[];
  rows: string[];
  between: number;
}

// The Python package's tests hold it to the same files.
const shown = Object.entries(
  load('tests', 'display', 'shown.json') as Record<string, IShown>
);
const texts = load('tests', 'display', 'readable.json') as [string, string][];

describe.each(shown)('the record %s', (name, expected) => {
  const record = example(name);

  it('has its rows grouped as in the static HTML', () => {
    const rows = record.changes.filter(
      row => row.reason || row.diff || !isTask(row)
    );
    expect(grouped(rows).map(row => row.resource)).toEqual(expected.rows);
  });

  it('has its tasks and hosts in the same order', () => {
    const { hosts, tasks } = matrix(record.changes);
    expect(hosts).toEqual(expected.hosts);
    expect(tasks.map(task => task.name)).toEqual(expected.tasks);
  });

  it('tells of as many lines that it leaves out', () => {
    const between = record.log ? linesBetween(record.log) : 0;
    expect(between).toBe(expected.between);
  });
});

it.each(texts)('shows %j as a terminal leaves it', (text, clean) => {
  expect(readable(text)).toBe(clean);
});
