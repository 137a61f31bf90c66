//! By what it is known that two requests come to the same picture.
//!
//! What counts is what is asked for (template, parameters, output), by whom, what the template's own files and
//! those that parameters name have in them, and by which Blender it is made. What a scene links to or loads
//! from elsewhere is not looked at: who changes that asks with `"cache": false`.
//!
//! **Invariant:** a spec that is kept with a picture is that of what it was made of: it is worked out when
//! a job begins and once more when it has ended, and what has changed in between is not kept.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aiobpy_wire::{Job, JobRequest, MadeOf, OutputRequest};
use serde_json::{Map, Value, json};

use crate::artefacts::hash_of;
use crate::pool::Device;

/// So many files are remembered, each with what is in it.
const MOST_FILES: usize = 10_000;

/// How one worker makes the pictures of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// A hash of the template's code and of all that runs it.
    by: String,
    scene: Option<PathBuf>,
}

/// The recipes of a worker, by template. What has none is made anew each time.
pub(crate) type Recipes = Arc<HashMap<String, Recipe>>;

/// What is asked for, by whom.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    template: String,
    params: Map<String, Value>,
    output: OutputRequest,
    tenant: Option<String>,
}

/// What a job is made of, as it was when it began.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    asked: Asked,
    recipe: Recipe,
    pub(crate) spec: String,
}

/// Works specs out. A clone is another handle on the same.
#[derive(Clone, Debug)]
pub(crate) struct Specs {
    /// Folders in which parameters may name files.
    roots: Arc<[PathBuf]>,
    /// What is in files, as long as they are what they were.
    hashes: Arc<Mutex<HashMap<PathBuf, (Stamp, String)>>>,
}

type Stamp = (SystemTime, u64);

/// The recipes of a worker that has just said what its templates are made of.
pub(crate) fn recipes(
    made_of: BTreeMap<String, MadeOf>,
    blender: &str,
    python: &str,
    device: Option<&Device>,
) -> Recipes {
    let recipe = |(template, MadeOf { code, scene }): (String, MadeOf)| {
        let device = device.map(Device::kind);
        let by = json!([env!("CARGO_PKG_VERSION"), blender, python, device, code]);
        (template, Recipe { by: digest(&by), scene })
    };
    Arc::new(made_of.into_iter().map(recipe).collect())
}

impl Asked {
    pub(crate) fn of(request: &JobRequest, tenant: Option<String>) -> Self {
        let JobRequest { template, params, output, .. } = request.clone();
        Self { template, params, output, tenant }
    }

    pub(crate) fn of_job(job: &Job) -> Self {
        let request = job.request.clone();
        let (template, params, output) = (request.template, request.params, request.output);
        Self { template, params, output, tenant: job.tenant.clone() }
    }
}

impl Specs {
    pub(crate) fn new(roots: &[PathBuf]) -> Self {
        Self { roots: roots.into(), hashes: Arc::default() }
    }

    /// What is asked for as it would be made now; `None` where a file cannot be read.
    pub(crate) async fn begin(&self, asked: Asked, recipe: Recipe) -> Option<Begun> {
        let specs = self.clone();
        // Files may be large: whoever asks first waits for the disk, elsewhere.
        let working_out = tokio::task::spawn_blocking(move || {
            let spec = specs.spec(&asked, &recipe)?;
            Some(Begun { asked, recipe, spec })
        });
        working_out.await.ok().flatten()
    }

    /// The spec of a job that has ended, if all is as it was when it began.
    pub(crate) async fn end(&self, begun: Begun) -> Option<String> {
        let Begun { asked, recipe, spec } = begun;
        let now = self.begin(asked, recipe).await?;
        (now.spec == spec).then_some(spec)
    }

    fn spec(&self, asked: &Asked, recipe: &Recipe) -> Option<String> {
        let Asked { template, params, output, tenant } = asked;
        let named = texts_in(params.values()).into_iter().flat_map(|text| self.files_named(text));
        let mut files: Vec<PathBuf> = named.collect();
        files.extend(recipe.scene.clone());
        let files = files.iter().map(|file| self.hash_of(file)).collect::<Option<Vec<_>>>()?;
        let output = serde_json::to_value(output).ok()?;
        let params = sorted(&Value::Object(params.clone()));
        Some(digest(&json!([recipe.by, template, params, sorted(&output), tenant, files])))
    }

    /// The files that a parameter may mean: which of them it does, only its worker knows.
    fn files_named(&self, text: &str) -> Vec<PathBuf> {
        let inside = |root: &PathBuf| {
            let path = root.join(text).canonicalize().ok()?;
            (path.starts_with(root) && path.is_file()).then_some(path)
        };
        self.roots.iter().filter_map(inside).collect()
    }

    fn hash_of(&self, file: &Path) -> Option<String> {
        let metadata = fs::metadata(file).ok()?;
        let stamp = (metadata.modified().ok()?, metadata.len());
        if let Some((known, hash)) = self.hashes().get(file)
            && *known == stamp
        {
            return Some(hash.clone());
        }
        let (hash, _) = hash_of(file).ok()?;
        let mut hashes = self.hashes();
        if hashes.len() >= MOST_FILES {
            hashes.clear();
        }
        hashes.insert(file.to_owned(), (stamp, hash.clone()));
        Some(hash)
    }

    fn hashes(&self) -> MutexGuard<'_, HashMap<PathBuf, (Stamp, String)>> {
        // Nothing that can panic runs under the lock.
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(value: &Value) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}

/// The texts in values, at any depth.
fn texts_in<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    let texts = values.into_iter().flat_map(|value| match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => texts_in(items),
        Value::Object(members) => texts_in(members.values()),
        _ => Vec::new(),
    });
    texts.collect()
}

/// The same members in whatever order are the same.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shop {
        folder: tempfile::TempDir,
        specs: Specs,
    }

    impl Shop {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            Self { specs: Specs::new(&[root]), folder }
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn recipe(&self, code: &str, blender: &str) -> Recipe {
            let scene = Some(self.folder.path().join("mug.blend"));
            let made_of = MadeOf { code: code.into(), scene };
            let made_of = BTreeMap::from([("mug".to_owned(), made_of)]);
            recipes(made_of, blender, "3.11", None)["mug"].clone()
        }

        fn spec(&self, params: Value) -> Option<String> {
            self.specs.spec(&asked(params, None), &self.recipe("one", "5.2.0"))
        }
    }

    fn asked(params: Value, tenant: Option<&str>) -> Asked {
        let Value::Object(params) = params else { panic!("{params}") };
        let request = JobRequest { params, ..JobRequest::new("mug") };
        Asked::of(&request, tenant.map(Into::into))
    }

    #[test]
    fn all_that_a_picture_depends_on_makes_another() {
        let shop = Shop::new();
        shop.write("mug.blend", "a scene");
        let params = || json!({"size": 1});
        let one = shop.spec(params());
        assert!(one.is_some());
        assert_eq!(shop.spec(params()), one);
        assert_ne!(shop.spec(json!({"size": 2})), one);
        let of = |tenant, recipe: &Recipe| shop.specs.spec(&asked(params(), tenant), recipe);
        assert_ne!(of(Some("shop"), &shop.recipe("one", "5.2.0")), one);
        assert_ne!(of(None, &shop.recipe("two", "5.2.0")), one);
        assert_ne!(of(None, &shop.recipe("one", "4.5.0")), one);
        shop.write("mug.blend", "another scene");
        assert_ne!(shop.spec(params()), one);
    }

    #[test]
    fn the_order_of_members_makes_no_other() {
        let shop = Shop::new();
        shop.write("mug.blend", "a scene");
        let (one, other) = (json!({"a": [{"b": 1, "c": 2}]}), json!({"a": [{"c": 2, "b": 1}]}));
        assert_eq!(shop.spec(one), shop.spec(other));
    }

    #[test]
    fn a_file_that_a_parameter_names_counts_by_what_is_in_it() {
        let shop = Shop::new();
        shop.write("mug.blend", "a scene");
        shop.write("label.png", "one");
        let one = shop.spec(json!({"labels": ["label.png"]}));
        shop.write("label.png", "another");
        assert_ne!(shop.spec(json!({"labels": ["label.png"]})), one);
    }

    #[test]
    fn what_cannot_be_read_has_no_spec() {
        assert_eq!(Shop::new().spec(json!({})), None);
    }

    #[tokio::test]
    async fn what_has_changed_while_it_was_made_has_no_spec() {
        let shop = Shop::new();
        shop.write("mug.blend", "a scene");
        let recipe = shop.recipe("one", "5.2.0");
        let begun = shop.specs.begin(asked(json!({}), None), recipe).await.unwrap();
        assert_eq!(shop.specs.end(begun.clone()).await, Some(begun.spec.clone()));
        shop.write("mug.blend", "another scene");
        assert_eq!(shop.specs.end(begun).await, None);
    }
}
