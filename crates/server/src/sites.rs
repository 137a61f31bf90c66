//! What add-ons have hung on the server: which address of which site is answered by whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiobpy_wire::{RouteAnswer, RouteDescription, Scope, SiteDescription};
use arc_swap::ArcSwap;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::feed::Feed;
use crate::snapshot::Snapshot;

/// The sites that there are, by prefix. Read without a lock, replaced whole.
#[derive(Default)]
pub struct Sites {
    table: ArcSwap<BTreeMap<String, Arc<Site>>>,
    sources: ArcSwap<BTreeMap<u64, Source>>,
}

/// What sites tell without asking Python each time.
#[derive(Clone)]
pub enum Source {
    Feed(Arc<Feed>),
    Snapshot(Arc<Snapshot>),
}

/// All that is served under one prefix.
pub(crate) struct Site {
    pub(crate) prefix: String,
    /// The numbers of what is told there.
    sources: Vec<u64>,
    /// What is said of its routes.
    pub(crate) operations: Vec<Operation>,
    /// What pages of the site may load, if it says so itself.
    pub(crate) content_security_policy: Option<Arc<str>>,
    /// The routes of each pattern.
    routes: matchit::Router<Vec<Route>>,
}

/// A route as documents have it.
pub(crate) struct Operation {
    /// No other operation of the site has it: `operationId`.
    pub(crate) name: String,
    pub(crate) path: String,
    /// Lower case.
    pub(crate) method: String,
    pub(crate) scope: Scope,
    /// An Operation Object of OpenAPI.
    pub(crate) said: Value,
}

/// One address of a site.
pub(crate) struct Route {
    methods: Vec<Method>,
    pub(crate) scope: Scope,
    pub(crate) answer: RouteAnswer,
}

/// A site's route that answers a request.
pub(crate) struct Found {
    pub(crate) site: Arc<Site>,
    pub(crate) scope: Scope,
    pub(crate) answer: RouteAnswer,
    /// What stood in the places of the pattern, percent-decoded.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Sites {
    /// Puts up a site, in the place of the one that had its prefix.
    ///
    /// # Errors
    /// A pattern or a method cannot be used, or two patterns take the same addresses; in words.
    pub fn put(&self, description: SiteDescription) -> Result<(), String> {
        let site = Arc::new(Site::new(description)?);
        let before = self.table.load().get(&site.prefix).cloned();
        self.table.rcu(|sites| {
            let mut sites = BTreeMap::clone(sites);
            sites.insert(site.prefix.clone(), Arc::clone(&site));
            sites
        });
        self.cut(before.iter().flat_map(|before| &before.sources), &site.sources);
        Ok(())
    }

    /// Takes a site down. Requests under way go on; who follows something of it is sent away.
    pub fn remove(&self, prefix: &str) {
        let before = self.table.load().get(prefix).cloned();
        self.table.rcu(|sites| {
            let mut sites = BTreeMap::clone(sites);
            sites.remove(prefix);
            sites
        });
        self.cut(before.iter().flat_map(|before| &before.sources), &[]);
    }

    /// The sites that there are just now, by prefix.
    pub(crate) fn current(&self) -> Arc<BTreeMap<String, Arc<Site>>> {
        self.table.load_full()
    }

    /// Makes a source known, and returns its number.
    pub fn add_source(&self, source: &Source) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.sources.rcu(|sources| {
            let mut sources = BTreeMap::clone(sources);
            sources.insert(number, source.clone());
            sources
        });
        number
    }

    /// Forgets a source, and ends what goes out of it.
    pub fn remove_source(&self, number: u64) {
        self.cut([&number], &[]);
        self.sources.rcu(|sources| {
            let mut sources = BTreeMap::clone(sources);
            sources.remove(&number);
            sources
        });
    }

    pub(crate) fn source(&self, number: u64) -> Option<Source> {
        self.sources.load().get(&number).cloned()
    }

    fn cut<'numbers>(&self, numbers: impl IntoIterator<Item = &'numbers u64>, kept: &[u64]) {
        let sources = self.sources.load();
        for number in numbers.into_iter().filter(|number| !kept.contains(number)) {
            match sources.get(number) {
                Some(Source::Feed(feed)) => feed.cut(),
                Some(Source::Snapshot(snapshot)) => snapshot.cut(),
                None => {}
            }
        }
    }

    /// Finds who answers. `None` if no site has the address.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Result<Found, Failure>> {
        let sites = self.table.load();
        let (site, rest) = longest_prefix(&sites, path)?;
        let matched = site.routes.at(if rest.is_empty() { "/" } else { rest }).ok()?;
        let wrong_method = || Failure::WrongMethod {
            method: method.clone(),
            path: path.to_owned(),
            allowed: Some(allowed(matched.value)),
        };
        let Some(route) = matched.value.iter().find(|route| route.takes(method)) else {
            return Some(Err(wrong_method()));
        };
        let mut parameters = Vec::with_capacity(matched.params.len());
        for (name, value) in matched.params.iter() {
            let Ok(value) = percent_decode_str(value).decode_utf8() else {
                let detail = format!("the part {name:?} of the path is not UTF-8");
                return Some(Err(Failure::BadPath { detail }));
            };
            parameters.push((name.to_owned(), value.into_owned()));
        }
        Some(Ok(Found {
            site: Arc::clone(site),
            scope: route.scope,
            answer: route.answer.clone(),
            parameters,
        }))
    }
}

impl Site {
    fn new(description: SiteDescription) -> Result<Self, String> {
        let SiteDescription { prefix, routes, content_security_policy } = description;
        let sources = routes.iter().filter_map(|route| source_of(&route.answer)).collect();
        let mut by_pattern: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        let mut operations = Vec::new();
        for RouteDescription { pattern, methods, scope, answer, operation } in routes {
            if let Some(operation) = operation {
                let method = methods.first().map_or("get", String::as_str);
                let new = Operation::new(&prefix, &pattern, method, scope, operation, &operations);
                operations.push(new);
            }
            let methods = methods
                .iter()
                .map(|name| Method::from_bytes(name.as_bytes()))
                .collect::<Result<_, _>>()
                .map_err(|_| format!("{methods:?} are no methods of HTTP"))?;
            by_pattern.entry(pattern).or_default().push(Route { methods, scope, answer });
        }
        let mut routes = matchit::Router::new();
        for (pattern, of_pattern) in by_pattern {
            routes
                .insert(&pattern, of_pattern)
                .map_err(|error| format!("the pattern {pattern:?} cannot be used: {error}"))?;
        }
        let content_security_policy = content_security_policy.map(Arc::from);
        Ok(Self { prefix, sources, operations, content_security_policy, routes })
    }
}

impl Operation {
    fn new(
        prefix: &str,
        pattern: &str,
        method: &str,
        scope: Scope,
        mut said: Value,
        others: &[Self],
    ) -> Self {
        let below = if pattern == "/" { "" } else { pattern };
        let path = format!("{prefix}{below}").replace("{*", "{");
        let site = prefix.rsplit('/').next().unwrap_or_default();
        let base = format!("{site}.{}", said["x-function"].as_str().unwrap_or("answer"));
        let is_free = |name: &String| others.iter().all(|other| other.name != *name);
        let names = std::iter::once(base.clone()).chain((2..).map(|it| format!("{base}_{it}")));
        let name = names.into_iter().find(is_free).unwrap_or(base);
        said["operationId"] = name.as_str().into();
        said["x-scope"] = json!(scope);
        Self { name, path, method: method.to_ascii_lowercase(), scope, said }
    }
}

impl Route {
    fn takes(&self, method: &Method) -> bool {
        let is_head_of_get = *method == Method::HEAD && self.methods.contains(&Method::GET);
        self.methods.is_empty() || self.methods.contains(method) || is_head_of_get
    }
}

fn source_of(answer: &RouteAnswer) -> Option<u64> {
    match answer {
        RouteAnswer::Events { source } | RouteAnswer::Snapshot { source } => Some(*source),
        RouteAnswer::Handler(_) | RouteAnswer::Folder { .. } => None,
    }
}

/// A prefix ends where a part of the path does: `/a/cup` is no prefix of `/a/cups`.
fn longest_prefix<'sites, 'path>(
    sites: &'sites BTreeMap<String, Arc<Site>>,
    path: &'path str,
) -> Option<(&'sites Arc<Site>, &'path str)> {
    let mut end = path.len();
    loop {
        let (prefix, rest) = path.split_at(end);
        if let Some(site) = sites.get(prefix) {
            return Some((site, rest));
        }
        end = prefix.rfind('/')?;
    }
}

/// The value of the `Allow` header.
fn allowed(routes: &[Route]) -> String {
    let mut names: Vec<&str> =
        routes.iter().flat_map(|route| &route.methods).map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::{HandlerAnswer, TakenBody, Takes};

    use super::*;

    fn route(methods: &[&str], pattern: &str, handler: u64) -> RouteDescription {
        RouteDescription {
            pattern: pattern.to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            scope: Scope::Read,
            operation: None,
            answer: RouteAnswer::Handler(HandlerAnswer {
                handler,
                takes: Takes::Requests,
                body: TakenBody::Stream,
                cache_seconds: None,
            }),
        }
    }

    fn sites(prefix: &str, routes: Vec<RouteDescription>) -> Sites {
        let sites = Sites::default();
        sites.put(SiteDescription::new(prefix, routes)).unwrap();
        sites
    }

    fn handler(found: Option<Result<Found, Failure>>) -> Option<u64> {
        match found?.ok()?.answer {
            RouteAnswer::Handler(answer) => Some(answer.handler),
            _ => None,
        }
    }

    #[test]
    fn a_route_is_found_by_prefix_pattern_and_method() {
        let sites = sites(
            "/a/cup",
            vec![
                route(&["GET"], "/", 1),
                route(&["GET"], "/objects/{name}", 2),
                route(&["POST"], "/objects/{name}", 3),
                route(&[], "/files/{*rest}", 4),
            ],
        );
        let find = |method: Method, path: &str| handler(sites.find(&method, path));
        assert_eq!(find(Method::GET, "/a/cup"), Some(1));
        assert_eq!(find(Method::GET, "/a/cup/"), Some(1));
        assert_eq!(find(Method::GET, "/a/cup/objects/x"), Some(2));
        assert_eq!(find(Method::HEAD, "/a/cup/objects/x"), Some(2));
        assert_eq!(find(Method::POST, "/a/cup/objects/x"), Some(3));
        assert_eq!(find(Method::DELETE, "/a/cup/files/x/y"), Some(4));
        assert_eq!(find(Method::GET, "/a/cups"), None);
        assert_eq!(find(Method::GET, "/a/cup/other"), None);
        assert_eq!(find(Method::GET, "/a"), None);
    }

    #[test]
    fn what_stands_in_the_path_is_decoded_once() {
        let sites = sites("/a/cup", vec![route(&["GET"], "/{name}", 1)]);
        let found = sites.find(&Method::GET, "/a/cup/a%20b%252F").unwrap().ok().unwrap();
        assert_eq!(found.parameters, [("name".to_owned(), "a b%2F".to_owned())]);
        assert!(matches!(
            sites.find(&Method::GET, "/a/cup/%ff"),
            Some(Err(Failure::BadPath { .. }))
        ));
    }

    #[test]
    fn a_wrong_method_is_told_which_are_right() {
        let sites = sites("/a/cup", vec![route(&["GET"], "/x", 1), route(&["POST"], "/x", 2)]);
        let Some(Err(Failure::WrongMethod { allowed, .. })) =
            sites.find(&Method::DELETE, "/a/cup/x")
        else {
            panic!("DELETE is not answered there")
        };
        assert_eq!(allowed.as_deref(), Some("GET, HEAD, POST"));
    }

    #[test]
    fn a_site_that_is_taken_down_is_not_found() {
        let sites = sites("/a/cup", vec![route(&["GET"], "/", 1)]);
        sites.remove("/a/cup");
        assert!(sites.find(&Method::GET, "/a/cup").is_none());
    }

    #[test]
    fn patterns_that_cannot_be_used_are_refused() {
        let put = |patterns: &[&str]| {
            let routes = patterns.iter().map(|pattern| route(&["GET"], pattern, 1)).collect();
            Sites::default().put(SiteDescription::new("/a/cup", routes))
        };
        assert!(put(&["/{name}", "/{other}"]).is_err());
        assert!(put(&["/{name"]).is_err());
        assert!(put(&["/{name}", "/x"]).is_ok());
    }
}
