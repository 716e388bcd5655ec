"use client";

import { useEffect } from "react";
import { run } from "../app.js";

export default function Page() {
  useEffect(run, []);
  return <p>inglenook</p>;
}
