import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import {
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { readRecord } from '../record/record';
import { Step } from './step';

/** The domain of our texts, as `ITranslator` names them. */
export const DOMAIN = 'jupyter_runbook';

/**
 * Shows a step's record. What it shows of a record is text alone, and never markup.
 */
export class StepRenderer extends ReactWidget implements IRenderMime.IRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this._mimeType = options.mimeType;
    this._trans = (options.translator ?? nullTranslator).load(DOMAIN);
    this.addClass('jp-RunbookStep');
  }

  /**
   * Show a record; where one was shown before, what a reader has unfolded stays so.
   */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._data = model.data[this._mimeType];
    this._text = String(model.data['text/plain'] ?? '');
    // At once, and not when the browser next paints: who waits for us measures what is there.
    MessageLoop.sendMessage(this, Widget.Msg.UpdateRequest);
    return this.renderPromise ?? Promise.resolve();
  }

  protected render(): JSX.Element | null {
    if (this._data === undefined) {
      return null;
    }
    const record = readRecord(this._data);
    if (typeof record === 'string') {
      return (
        <>
          <p>
            {this._trans.__(
              'This is not a record that this version can show: see its field "%1".',
              record
            )}
          </p>
          <pre>{this._text}</pre>
        </>
      );
    }
    return <Step record={record} trans={this._trans} />;
  }

  private _data: unknown;
  private _text = '';
  private readonly _mimeType: string;
  private readonly _trans: TranslationBundle;
}
