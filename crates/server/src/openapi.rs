//! The OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.1.html>) of what is served just now.
//!
//! What never changes is in `assets/openapi*.json`; what Python has described is added to it, and
//! the problems that each address may answer with.

mod methods;
mod problems;
mod routes;
mod templates;

use std::sync::{Arc, Mutex, PoisonError};

use aiobpy_fleet::Fleet;
use aiobpy_wire::TemplateDescription;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::offers::Table;
use crate::shared::Shared;

const ALWAYS: &str = include_str!("../assets/openapi.json");
const WITH_FLEET: &str = include_str!("../assets/openapi_of_fleet.json");
const WITH_OPERATIONS: &str = include_str!("../assets/openapi_of_operations.json");

/// The document and its entity tag.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) text: Bytes,
    pub(crate) tag: String,
}

/// The document that was made last.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Made>>);

struct Made {
    document: Document,
    /// What it was made of.
    table: Arc<Table>,
    sites: Arc<routes::Sites>,
    templates: Vec<TemplateDescription>,
}

impl Kept {
    /// What is served now, made anew if it has changed.
    pub(crate) fn current(&self, shared: &Shared) -> Document {
        let (table, sites) = (shared.offers.table(), shared.sites.current());
        let templates = shared.fleet.as_ref().map(Fleet::templates).unwrap_or_default();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*kept
            && Arc::ptr_eq(&made.table, &table)
            && Arc::ptr_eq(&made.sites, &sites)
            && made.templates == templates
        {
            return made.document.clone();
        }
        let text = document(shared, &table, &sites, &templates).to_string();
        let tag = format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..32]);
        let document = Document { text: text.into(), tag };
        *kept = Some(Made { document: document.clone(), table, sites, templates });
        document
    }
}

fn document(
    shared: &Shared,
    table: &Table,
    sites: &routes::Sites,
    templates: &[TemplateDescription],
) -> Value {
    let mut document = parsed(ALWAYS);
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    if shared.fleet.is_some() {
        merge(&mut document, parsed(WITH_FLEET));
        merge(&mut document, templates::described(templates));
    }
    if shared.main_thread.is_some() {
        merge(&mut document, parsed(WITH_OPERATIONS));
        merge(&mut document, methods::described(table));
        merge(&mut document, routes::described(sites));
    }
    problems::add(&mut document);
    document
}

/// Puts what the second has into the first: objects into objects, arrays behind arrays.
fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(mut other)) => into.append(&mut other),
        (into, other) => *into = other,
    }
}

fn parsed(asset: &str) -> Value {
    // A test reads all of them.
    serde_json::from_str(asset).unwrap_or_default()
}

/// The operations of a document: those members of a path that are methods of HTTP.
fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    paths.into_iter().flatten().flat_map(|(path, item)| {
        let members = item.as_object_mut().into_iter().flatten();
        members
            .filter(|(name, _)| METHODS.contains(&name.as_str()))
            .filter_map(move |(_, operation)| Some((path, operation.as_object_mut()?)))
    })
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::Offer;
    use serde_json::json;

    use super::*;
    use crate::limits::Limits;
    use crate::shared::Parts;
    use crate::token::Token;

    fn shared() -> Shared {
        let token = Token::new("0123456789abcdef").unwrap();
        let parts = Parts { main_thread: Some(Arc::new(Nobody)), ..Parts::default() };
        Shared::new("127.0.0.1:4321".parse().unwrap(), token, Limits::default(), parts)
    }

    struct Nobody;

    impl crate::main_thread::MainThread for Nobody {
        fn post(&self, _: crate::main_thread::Work) -> Result<(), crate::main_thread::Refused> {
            Err(crate::main_thread::Refused::Closed)
        }

        fn status(&self) -> aiobpy_wire::MainThreadStatus {
            unreachable!("nobody asks")
        }
    }

    fn method(name: &str) -> Offer {
        let description = json!({
            "kind": "method",
            "name": name,
            "summary": "Fill it.",
            "params": { "type": "object", "properties": { "height": { "type": "number" } }, "required": ["height"] },
            "result": { "type": "integer" },
            "is_long": name.ends_with("slow"),
            "owner": "cups",
        });
        serde_json::from_value(description).unwrap()
    }

    #[test]
    fn the_parts_that_never_change_are_json() {
        for asset in [ALWAYS, WITH_FLEET, WITH_OPERATIONS] {
            assert!(parsed(asset)["paths"].is_object());
        }
    }

    #[test]
    fn a_method_is_an_operation_with_its_schemas_and_problems() {
        let shared = shared();
        shared.offers.put(method("cup.fill"));
        shared.offers.put(method("cup.slow"));
        let document = document(&shared, &shared.offers.table(), &shared.sites.current(), &[]);
        let operation = &document["paths"]["/api/v1/rpc/cup.fill"]["post"];
        assert_eq!(operation["operationId"], "rpc.cup.fill");
        assert_eq!(operation["tags"], json!(["cups"]));
        assert_eq!(operation["requestBody"]["required"], true);
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema, &json!({ "type": "integer" }));
        for status in ["400", "401", "403", "404", "413", "415", "422", "500", "503", "504"] {
            let name = format!("#/components/responses/Problem{status}");
            assert_eq!(operation["responses"][status]["$ref"], name);
            let response = &document["components"]["responses"][format!("Problem{status}")];
            assert!(response["content"]["application/problem+json"]["examples"].is_object());
        }
        assert!(operation["responses"].get("202").is_none());
        let slow = &document["paths"]["/api/v1/rpc/cup.slow"]["post"];
        assert!(slow["responses"]["202"].is_object());
        assert!(!document.to_string().contains("x-problems"));
    }

    #[test]
    fn the_document_changes_with_what_is_offered_and_not_otherwise() {
        let shared = shared();
        let kept = Kept::default();
        let empty = kept.current(&shared);
        shared.offers.put(method("cup.fill"));
        let one = kept.current(&shared);
        assert_ne!(one.tag, empty.tag);
        assert_eq!(kept.current(&shared).text, one.text);
        shared.offers.remove("method", "cup.fill");
        assert_eq!(kept.current(&shared).tag, empty.tag);
    }
}
