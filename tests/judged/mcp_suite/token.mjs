// Loaded before a judge that sends no token: every request that goes out carries ours.
import http from "node:http";
import { createRequire, syncBuiltinESMExports } from "node:module";

const given = `Bearer ${process.env.AIOBPY_TOKEN}`;

const request = http.request;
http.request = (...parameters) => {
  const begun = request(...parameters);
  begun.setHeader("authorization", given);
  return begun;
};
syncBuiltinESMExports();

// `fetch` asks the dispatcher that all copies of undici share.
const { getGlobalDispatcher, setGlobalDispatcher } = createRequire(process.argv[1])("undici");
const carry = (dispatch) => (options, handler) => {
  const { headers } = options;
  const all = Array.isArray(headers)
    ? [...headers, "authorization", given]
    : { ...(headers?.entries ? Object.fromEntries(headers.entries()) : headers), authorization: given };
  return dispatch({ ...options, headers: all }, handler);
};
setGlobalDispatcher(getGlobalDispatcher().compose(carry));
