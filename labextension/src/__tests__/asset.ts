// What stands for the icons and styles of JupyterLab's packages.
export default '<svg></svg>';
