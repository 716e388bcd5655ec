// Outside of browsers: prints what came of it.
import { answer } from "./answer.js";

console.log(JSON.stringify(await answer()));
