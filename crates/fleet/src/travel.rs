//! Files that clients sent to one node, for jobs that run on another: they go by the engine, as results do.

use std::path::Path;

use aiobpy_wire::Artefact;
use serde_json::{Map, Value};

use crate::engine::{Answer, Engine, EngineError};
use crate::inputs::{self, Inputs};

/// Has what a request names here and where the other nodes find it.
pub(crate) async fn send(
    engine: &impl Engine,
    inputs: &Inputs,
    params: &Map<String, Value>,
) -> Answer<()> {
    for name in travelling(engine, params) {
        match inputs.find(name) {
            Some(file) => engine.put_blob(as_artefact(name, &file)?, file).await?,
            None => fetch_one(engine, inputs, name).await?,
        }
    }
    Ok(())
}

/// Has what a job names here, if the engine has it.
pub(crate) async fn fetch(
    engine: &impl Engine,
    inputs: &Inputs,
    params: &Map<String, Value>,
) -> Answer<()> {
    for name in travelling(engine, params) {
        if inputs.find(name).is_none() {
            fetch_one(engine, inputs, name).await?;
        }
    }
    Ok(())
}

/// The names of what goes from node to node, if there are others.
fn travelling<'a>(engine: &impl Engine, params: &'a Map<String, Value>) -> Vec<&'a str> {
    if engine.keeps_artefacts() { inputs::named_in(params) } else { Vec::new() }
}

async fn fetch_one(engine: &impl Engine, inputs: &Inputs, name: &str) -> Answer<()> {
    let part = inputs.new_path();
    let artefact =
        Artefact { hash: inputs::hash_in(name).to_owned(), content_type: String::new(), bytes: 0 };
    if engine.get_blob(artefact, part.clone()).await? {
        inputs.take(&part).map_err(|error| storage(&error))?;
    }
    Ok(())
}

fn as_artefact(name: &str, file: &Path) -> Answer<Artefact> {
    let bytes = file.metadata().map_err(|error| storage(&error))?.len();
    let content_type = "application/octet-stream".to_owned();
    Ok(Artefact { hash: inputs::hash_in(name).to_owned(), content_type, bytes })
}

fn storage(error: &std::io::Error) -> EngineError {
    EngineError::Storage { cause: error.to_string() }
}
