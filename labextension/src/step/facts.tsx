import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { IStepRecord } from '../record/record';
import { readable, shortTime } from '../record/words';

export interface IFactsProps {
  record: IStepRecord;
  trans: TranslationBundle;
}

/**
 * Who, when, with what: folded, in the order that people ask.
 */
export function Facts({ record, trans }: IFactsProps): JSX.Element {
  return (
    <details>
      <summary>{trans.__('Record')}</summary>
      <table className="jp-RunbookStep-table jp-RunbookStep-facts">
        <tbody>
          {facts(record, trans).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{readable(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/**
 * Return a record's facts, name and value; those that it does not have are left out.
 */
export function facts(
  record: IStepRecord,
  trans: TranslationBundle
): [string, string][] {
  const { actor, approval, attempts, log } = record;
  const failed = attempts.flatMap(one =>
    one.error ? [one.error.message] : []
  );
  const versions = Object.entries(record.tool.versions);
  const rows: [string, string | null][] = [
    [trans.__('who'), trans.__('%1 on %2', actor.user, actor.host)],
    [
      trans.__('when'),
      trans.__('%1 to %2', shortTime(record.started), shortTime(record.ended))
    ],
    [
      trans.__('attempts'),
      attempts.length > 1
        ? trans.__(
            '%1; failed: %2',
            attempts.length,
            failed.join('; ') || trans.__('none')
          )
        : null
    ],
    [
      trans.__('approval'),
      approval &&
        trans.__(
          '%1, by %2, %3',
          approval.answer,
          approval.by,
          shortTime(approval.at)
        ) + (approval.reason ? `: ${approval.reason}` : '')
    ],
    [trans.__('run'), record.run],
    [trans.__('plan'), record.plan_digest],
    [trans.__('record'), record.digest],
    [trans.__('before it'), record.prev],
    [
      trans.__('versions'),
      versions.map(([tool, version]) => `${tool} ${version}`).join(', ')
    ],
    [
      trans.__('log'),
      log &&
        trans.__(
          '%1 lines, %2 bytes, SHA-256 %3',
          log.lines,
          log.bytes,
          log.sha256
        )
    ]
  ];
  return rows.filter((row): row is [string, string] => Boolean(row[1]));
}
