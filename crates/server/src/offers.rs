//! What Python offers to programs: methods, resources and prompts, as it has described them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiobpy_wire::{MethodDescription, Offer, PromptDescription, ResourceDescription};
use arc_swap::ArcSwap;
use tokio::sync::watch;

/// What is offered, by name. Read without a lock, replaced whole.
pub struct Offers {
    table: ArcSwap<Table>,
    /// Tells those who watch that the table is another one.
    version: watch::Sender<u64>,
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
        Self { table: ArcSwap::default(), version: watch::Sender::new(0) }
    }
}

impl Offers {
    /// Offers something, in the place of what had its name.
    pub fn put(&self, offer: Offer) {
        match offer {
            Offer::Method(method) => {
                let method = Arc::new(method);
                self.change(|table| {
                    table.methods.insert(method.name.clone(), Arc::clone(&method));
                });
            }
            Offer::Resource(resource) => {
                let resource = Arc::new(resource);
                self.change(|table| {
                    table.resources.insert(resource.uri.clone(), Arc::clone(&resource));
                });
            }
            Offer::Prompt(prompt) => {
                let prompt = Arc::new(prompt);
                self.change(|table| {
                    table.prompts.insert(prompt.name.clone(), Arc::clone(&prompt));
                });
            }
        }
    }

    /// Offers something no more: `method`, `resource` or `prompt`, by its name. Calls under way
    /// go on.
    pub fn remove(&self, kind: &str, name: &str) {
        self.change(|table| match kind {
            "method" => drop(table.methods.remove(name)),
            "resource" => drop(table.resources.remove(name)),
            _ => drop(table.prompts.remove(name)),
        });
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    pub(crate) fn method(&self, name: &str) -> Option<Arc<MethodDescription>> {
        self.table.load().methods.get(name).cloned()
    }

    /// Changes its value whenever something else is offered.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn change(&self, change: impl Fn(&mut Table)) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            change(&mut table);
            table
        });
        self.version.send_modify(|version| *version += 1);
    }
}
