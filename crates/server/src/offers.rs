//! What Python offers to programs: methods, resources and prompts, as it has described them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiobpy_wire::{MethodDescription, Offer, PromptDescription, ResourceDescription};
use arc_swap::ArcSwap;
use tokio::sync::broadcast;

/// What is offered, by name. Read without a lock, replaced whole.
pub struct Offers {
    table: ArcSwap<Table>,
    changes: broadcast::Sender<Change>,
}

/// What clients hear of that listen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resources,
    /// The resource of this URI reads otherwise than before.
    Updated(String),
}

/// What was offered at one moment. The order is that of the names.
#[derive(Clone, Default)]
pub(crate) struct Table {
    pub(crate) methods: BTreeMap<String, Arc<MethodDescription>>,
    pub(crate) resources: BTreeMap<String, Arc<ResourceDescription>>,
    pub(crate) prompts: BTreeMap<String, Arc<PromptDescription>>,
}

impl Default for Offers {
    fn default() -> Self {
        Self { table: ArcSwap::default(), changes: broadcast::Sender::new(Self::UNTOLD) }
    }
}

impl Offers {
    /// Changes that a slow listener may have before it; then all may have changed.
    const UNTOLD: usize = 256;

    /// Offers something, in the place of what had its name.
    pub fn put(&self, offer: Offer) {
        match offer {
            Offer::Method(method) => {
                let method = Arc::new(method);
                self.change(Change::Tools, |table| {
                    table.methods.insert(method.name.clone(), Arc::clone(&method));
                });
            }
            Offer::Resource(resource) => {
                let resource = Arc::new(resource);
                self.change(Change::Resources, |table| {
                    table.resources.insert(resource.uri.clone(), Arc::clone(&resource));
                });
            }
            Offer::Prompt(prompt) => {
                let prompt = Arc::new(prompt);
                self.change(Change::Prompts, |table| {
                    table.prompts.insert(prompt.name.clone(), Arc::clone(&prompt));
                });
            }
        }
    }

    /// Offers something no more: `method`, `resource` or `prompt`, by its name. Calls under way
    /// go on.
    pub fn remove(&self, kind: &str, name: &str) {
        match kind {
            "method" => self.change(Change::Tools, |table| drop(table.methods.remove(name))),
            "resource" => {
                self.change(Change::Resources, |table| drop(table.resources.remove(name)));
            }
            _ => self.change(Change::Prompts, |table| drop(table.prompts.remove(name))),
        }
    }

    /// Tells those who watch a resource that it reads otherwise now.
    pub fn updated(&self, uri: String) {
        let _nobody_listens = self.changes.send(Change::Updated(uri));
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    pub(crate) fn method(&self, name: &str) -> Option<Arc<MethodDescription>> {
        self.table.load().methods.get(name).cloned()
    }

    /// What changes from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn change(&self, kind: Change, change: impl Fn(&mut Table)) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            change(&mut table);
            table
        });
        let _nobody_listens = self.changes.send(kind);
    }
}
