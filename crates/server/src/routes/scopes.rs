//! Which scope each of our own addresses needs. What is not in the table needs the highest, so that a
//! route that is forgotten here is closed and not open.

use aiobpy_wire::Scope;
use aiobpy_wire::Scope::{Admin, Control, Read};
use http::Method;

/// Address, method and scope.
pub(crate) const OURS: &[(&str, &str, Scope)] = &[
    ("/api/v1", "GET", Read),
    ("/api/v1/status", "GET", Read),
    ("/api/v1/events", "GET", Read),
    ("/api/v1/echo", "GET", Read),
    ("/api/v1/operations", "GET", Read),
    ("/api/v1/operations/{id}", "GET", Read),
    ("/api/v1/operations/{id}", "DELETE", Control),
    ("/api/v1/operations/{id}/events", "GET", Read),
    ("/openapi.json", "GET", Read),
    // Each method has a scope of its own: see `caller.rs`.
    ("/api/v1/rpc/{method}", "POST", Read),
    ("/rpc", "POST", Read),
    ("/mcp", "POST", Read),
    ("/mcp", "GET", Read),
    ("/mcp", "DELETE", Read),
    ("/ws", "GET", Read),
    ("/ws/{id}", "POST", Read),
    ("/api/v1/jobs", "GET", Read),
    ("/api/v1/jobs", "POST", Control),
    ("/api/v1/jobs/{id}", "GET", Read),
    ("/api/v1/jobs/{id}", "DELETE", Control),
    ("/api/v1/jobs/{id}/events", "GET", Read),
    ("/api/v1/jobs/{id}/result", "GET", Read),
    ("/api/v1/jobs/{id}/preview", "GET", Read),
    ("/api/v1/inputs", "POST", Control),
    ("/api/v1/batches", "GET", Read),
    ("/api/v1/batches", "POST", Control),
    ("/api/v1/batches/{id}", "GET", Read),
    ("/api/v1/batches/{id}", "DELETE", Control),
    ("/api/v1/batches/{id}/events", "GET", Read),
    ("/api/v1/batches/{id}/jobs", "GET", Read),
    ("/api/v1/batches/{id}/results", "GET", Read),
    ("/api/v1/drain", "POST", Admin),
    ("/api/v1/undrain", "POST", Admin),
    ("/api/v1/workers/{id}/recycle", "POST", Admin),
    ("/api/v1/pressure", "GET", Read),
    ("/api/v1/webhook-secret", "GET", Control),
    ("/api/v1/templates", "GET", Read),
    ("/api/v1/templates/{name}/jobs", "POST", Control),
    ("/api/v1/workers", "GET", Read),
    ("/api/v1/sign-in-links", "POST", Admin),
    ("/api/v1/me", "GET", Read),
    ("/api/v1/devices", "GET", Admin),
    ("/api/v1/devices/{id}", "DELETE", Admin),
    ("/api/v1/audit", "GET", Admin),
    ("/api/v1/requests", "GET", Admin),
    ("/metrics", "GET", Read),
];

/// The addresses that need no token. What each of them gives away, or takes, is told with it.
pub(crate) const OPEN: &[&str] = &[
    "/healthz",
    "/login",
    "/logout",
    "/pair",
    "/pair.css",
    "/pair.js",
    "/pair/claim",
    "/ca.crt",
    "/docs",
    "/docs/{file}",
];

/// Those that need none where there is a fleet, and are unknown where there is none.
pub(crate) const OPEN_WITH_FLEET: &[&str] =
    &["/", "/dashboard", "/dashboard/{*below}", "/dashboard/assets/{file}"];

/// All addresses, and whether each is open to who has no token; one for each of its methods.
pub(crate) fn patterns(has_fleet: bool) -> impl Iterator<Item = (&'static str, bool)> {
    let of_fleet = OPEN_WITH_FLEET.iter().filter(move |_| has_fleet);
    let open = OPEN.iter().chain(of_fleet).map(|pattern| (*pattern, true));
    open.chain(OURS.iter().map(|(pattern, ..)| (*pattern, false)))
}

/// What those who share a fleet may ask for: what is not in here is for whoever runs it.
const FOR_TENANTS: &[&str] = &[
    "/api/v1/batches",
    "/api/v1/batches/{id}",
    "/api/v1/batches/{id}/events",
    "/api/v1/batches/{id}/jobs",
    "/api/v1/batches/{id}/results",
    "/api/v1/events",
    "/api/v1/inputs",
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
    "/api/v1/jobs/{id}/events",
    "/api/v1/jobs/{id}/result",
    "/api/v1/jobs/{id}/preview",
    "/api/v1/me",
    "/api/v1/pressure",
    "/api/v1/templates",
    "/api/v1/templates/{name}/jobs",
    "/api/v1/webhook-secret",
    "/openapi.json",
];

pub(crate) fn is_for_tenants(pattern: &str) -> bool {
    FOR_TENANTS.contains(&pattern)
}

pub(crate) fn needed(pattern: &str, method: &Method) -> Scope {
    let name = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut of_pattern = OURS.iter().filter(|(ours, ..)| *ours == pattern);
    of_pattern.find(|(_, ours, _)| *ours == name).map_or(Admin, |(.., scope)| *scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_router_is_in_a_table() {
        let router = include_str!("../router.rs");
        let patterns = router.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1));
        let forgotten: Vec<_> = patterns
            .filter(|pattern| !OPEN.contains(pattern) && !OPEN_WITH_FLEET.contains(pattern))
            .filter(|pattern| !OURS.iter().any(|(ours, ..)| ours == pattern))
            .collect();
        assert_eq!(forgotten, [""; 0], "tell their scopes in routes/scopes.rs");
    }

    #[test]
    fn what_is_in_no_table_needs_the_highest_scope() {
        assert_eq!(needed("/api/v1/status", &Method::HEAD), Read);
        assert_eq!(needed("/api/v1/status", &Method::POST), Admin);
        assert_eq!(needed("/api/v1/new", &Method::GET), Admin);
    }
}
