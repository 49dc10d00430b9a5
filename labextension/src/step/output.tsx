import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { ILog } from '../record/record';
import { linesBetween, readable } from '../record/words';

/** So many lines stand open; a failure's stand open in any case. */
const OPEN_LINES = 25;

export interface IOutputProps {
  log: ILog;
  failed: boolean;
  trans: TranslationBundle;
}

/**
 * What the step printed: all of it, or its first and last lines, and where the rest is.
 */
export function Output({ log, failed, trans }: IOutputProps): JSX.Element {
  const text = (part: string) => readable(part).replace(/\n$/, '');
  const between = linesBetween(log);
  return (
    <details open={failed || log.lines <= OPEN_LINES}>
      <summary>
        {trans._n('Output, %1 line', 'Output, %1 lines', log.lines)}
      </summary>
      <pre className="jp-RunbookStep-output">{text(log.head)}</pre>
      {log.tail !== null && (
        <>
          <p className="jp-RunbookStep-between">
            {log.path
              ? trans._n(
                  '%1 more line in %2',
                  '%1 more lines in %2',
                  between,
                  readable(log.path)
                )
              : trans._n(
                  '%1 more line, which could not be kept',
                  '%1 more lines, which could not be kept',
                  between
                )}
          </p>
          <pre className="jp-RunbookStep-output">{text(log.tail)}</pre>
        </>
      )}
    </details>
  );
}
