//! The routes of sites as operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::merge;
use crate::sites::{Operation, Site};

pub(super) type Sites = BTreeMap<String, Arc<Site>>;

/// What any handler may come to, beside what its author says.
const PROBLEMS: [u16; 11] = [400, 404, 406, 408, 409, 413, 415, 422, 500, 503, 504];

/// The parts of the document that are about sites, in the order of their prefixes.
pub(super) fn described(sites: &Sites) -> Value {
    let mut described = json!({ "paths": {}, "tags": [] });
    for site in sites.values().filter(|site| !site.operations.is_empty()) {
        let tag = site.prefix.strip_prefix("/a/").unwrap_or(&site.prefix);
        merge(&mut described, json!({ "tags": [{ "name": tag }] }));
        for Operation { path, method, said, .. } in &site.operations {
            let mut operation = said.clone();
            operation["tags"] = json!([tag]);
            operation["x-problems"] = json!(PROBLEMS);
            merge(&mut described, json!({ "paths": { path: { method: operation } } }));
        }
    }
    described
}
