import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { counts, type IMatrix, type ITask } from '../record/matrix';
import type { ChangeStatus } from '../record/record';
import { readable } from '../record/words';
import { Mark } from './mark';

/** With more hosts than this there is no room for a column each: they are told by number. */
const COLUMNS = 12;
/** The hosts of these statuses are named even then. */
const NAMED: readonly ChangeStatus[] = [
  'failed',
  'interrupted',
  'unknown',
  'not-run'
];
const NAMES = 6;
/** With more tasks than this the table has a bar of its own to scroll it. */
const OPEN_ROWS = 30;

export interface IHostsProps {
  matrix: IMatrix;
  trans: TranslationBundle;
}

/**
 * Tasks by hosts.
 */
export function Hosts({ matrix, trans }: IHostsProps): JSX.Element {
  const narrow = matrix.hosts.length <= COLUMNS;
  return (
    <div
      className="jp-RunbookStep-scroll"
      data-long={matrix.tasks.length > OPEN_ROWS}
    >
      <table className="jp-RunbookStep-table jp-RunbookStep-hosts">
        <thead>
          <tr>
            <th scope="col">{trans.__('Task')}</th>
            {narrow ? (
              matrix.hosts.map(host => (
                <th scope="col" key={host}>
                  {readable(host)}
                </th>
              ))
            ) : (
              <th scope="col">
                {trans.__('On %1 hosts', matrix.hosts.length)}
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {matrix.tasks.map(task => (
            <tr key={task.name}>
              <th scope="row">{readable(task.name)}</th>
              {narrow ? (
                matrix.hosts.map(host => (
                  <Cell key={host} status={task.hosts.get(host)} />
                ))
              ) : (
                <Counts task={task} />
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ status }: { status: ChangeStatus | undefined }): JSX.Element {
  return status ? (
    <td className="jp-RunbookStep-short" data-status={status}>
      <Mark status={status} />
    </td>
  ) : (
    <td />
  );
}

function Counts({ task }: { task: ITask }): JSX.Element {
  return (
    <td>
      {counts(task.hosts.values()).map(([status, count]) => {
        const names = NAMED.includes(status)
          ? [...task.hosts].filter(([, one]) => one === status)
          : [];
        const named = names.slice(0, NAMES).map(([host]) => readable(host));
        const more = names.length > NAMES ? ', …' : '';
        return (
          <span
            key={status}
            className="jp-RunbookStep-count"
            data-status={status}
          >
            <Mark status={status} count={count} />
            {named.length > 0 && ` (${named.join(', ')}${more})`}
          </span>
        );
      })}
    </td>
  );
}
