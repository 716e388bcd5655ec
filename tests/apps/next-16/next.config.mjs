/** Files for any static server, into `dist` as the other applications' are. */
export default { output: "export", distDir: "dist" };
