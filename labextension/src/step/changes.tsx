import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { counts, grouped, isTask } from '../record/matrix';
import type { ChangeStatus, IChange, IStepRecord } from '../record/record';
import { ACTIONS, duration, readable } from '../record/words';
import { Diff } from './diff';
import { Mark } from './mark';

/** With more rows than this, those that need nobody's attention are not shown until they are asked for. */
const OPEN_ROWS = 30;
const QUIET: readonly ChangeStatus[] = ['ok', 'skipped'];

export interface IChangesProps {
  record: IStepRecord;
  trans: TranslationBundle;
}

/**
 * The plan as a table, each row with its diff below it; rows can be chosen by what became of them.
 */
export function Changes({ record, trans }: IChangesProps): JSX.Element | null {
  // What the table of hosts tells is told.
  const rows = grouped(
    record.changes.filter(row => row.reason || row.diff || !isTask(row))
  );
  const [hidden, setHidden] = useState<ReadonlySet<ChangeStatus>>(
    new Set(rows.length > OPEN_ROWS ? QUIET : [])
  );
  if (rows.length === 0) {
    return null;
  }
  const toggle = (status: ChangeStatus) => {
    const next = new Set(hidden);
    if (!next.delete(status)) {
      next.add(status);
    }
    setHidden(next);
  };
  const shown = rows.filter(row => !hidden.has(row.status));
  const long = rows.length > OPEN_ROWS;
  const timed = rows.some(row => row.seconds !== null);
  return (
    <>
      {rows.length > 1 && (
        <div
          className="jp-RunbookStep-filter"
          role="group"
          aria-label={trans.__('Rows to show')}
        >
          {counts(rows.map(row => row.status)).map(([status, count]) => (
            <button
              key={status}
              type="button"
              data-status={status}
              aria-pressed={!hidden.has(status)}
              title={
                hidden.has(status)
                  ? trans.__('Show these rows')
                  : trans.__('Hide these rows')
              }
              onClick={() => toggle(status)}
            >
              <Mark status={status} count={count} />
            </button>
          ))}
        </div>
      )}
      {shown.length > 0 && (
        <div className="jp-RunbookStep-scroll" data-long={long}>
          <table className="jp-RunbookStep-table">
            <thead>
              <tr>
                <th scope="col">{trans.__('Status')}</th>
                <th scope="col">{trans.__('Action')}</th>
                <th scope="col">{trans.__('Resource')}</th>
                <th scope="col">{trans.__('Why')}</th>
                {timed && (
                  <th scope="col" className="jp-RunbookStep-number">
                    {trans.__('Time')}
                  </th>
                )}
              </tr>
            </thead>
            {shown.map(row => (
              <Row
                key={rows.indexOf(row)}
                row={row}
                open={record.status === 'planned' && !long}
                timed={timed}
              />
            ))}
          </table>
        </div>
      )}
    </>
  );
}

interface IRowProps {
  row: IChange;
  open: boolean;
  timed: boolean;
}

function Row({ row, open, timed }: IRowProps): JSX.Element {
  const [unfolded, setUnfolded] = useState(open);
  return (
    <tbody>
      <tr>
        <td className="jp-RunbookStep-short" data-status={row.status}>
          <Mark status={row.status} />
        </td>
        <td className="jp-RunbookStep-short">
          <span aria-hidden="true">{ACTIONS[row.action]}</span> {row.action}
        </td>
        <td className="jp-RunbookStep-resource">
          {row.diff ? (
            <button
              type="button"
              className="jp-RunbookStep-unfold"
              aria-expanded={unfolded}
              onClick={() => setUnfolded(!unfolded)}
            >
              {readable(row.resource)}
            </button>
          ) : (
            readable(row.resource)
          )}
        </td>
        <td className="jp-RunbookStep-why">{readable(row.reason ?? '')}</td>
        {timed && (
          <td className="jp-RunbookStep-number">
            {row.seconds === null ? '' : duration(row.seconds)}
          </td>
        )}
      </tr>
      {row.diff && unfolded && (
        <tr>
          <td colSpan={timed ? 5 : 4}>
            <Diff text={row.diff} />
          </td>
        </tr>
      )}
    </tbody>
  );
}
