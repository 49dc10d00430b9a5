import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import { MIME_TYPE } from './record/record';
import { StepRenderer } from './step/renderer';

const step: IRenderMime.IExtension = {
  id: 'jupyter-runbook:step',
  description: "Shows the records of a runbook's steps.",
  rendererFactory: {
    safe: true,
    mimeTypes: [MIME_TYPE],
    createRenderer: options => new StepRenderer(options)
  },
  // The lowest rank of an output's types wins; text/html has 50.
  rank: 0,
  dataType: 'json'
};

export default [step];
