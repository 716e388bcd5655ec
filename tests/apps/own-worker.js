// A worker that the application wrote and its bundler built.
import { answer } from "./answer.js";

answer().then(postMessage, (error) => postMessage({ error: `${error.name}: ${error.message}` }));
