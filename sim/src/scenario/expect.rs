//! Reads the `[expect]` section: bounds on numbers of the report.

use cuerda_text::suggest::nearest;
use cuerda_text::words::listed;
use serde_json::Value;
use toml::de::DeValue;

use super::diagnostic::{Problems, Reported};
use super::section::{Entry, Section};
use super::{Bound, Expectation, Metric, MetricKind};

const BOUNDS: &[&str] = &["min", "max", "equals"];
const FORM: &str = "write a bound, as in `{ max = 0.01 }`, `{ min = 3, max = 4 }` or \
                    `{ equals = true }`";

/// Reads all expectations. `metrics` is what a report has.
pub(super) fn expectations(
    section: &Section,
    metrics: &[Metric],
    problems: &mut Problems,
) -> Result<Vec<Expectation>, Reported> {
    let read: Vec<_> = section
        .entries()
        .map(|entry| expectation(&entry, metrics, problems))
        .collect();
    read.into_iter().collect()
}

fn expectation(
    entry: &Entry,
    metrics: &[Metric],
    problems: &mut Problems,
) -> Result<Expectation, Reported> {
    if entry.key == UNCHECKED {
        return unchecked(entry, metrics, problems);
    }
    if let Some(path) = unquoted(entry, metrics) {
        return Err(problems.report(
            entry.key_span.clone(),
            format!("the path that begins with `{}` is not in quotes", entry.key),
            format!("write `\"{path}\" = {{ … }}`"),
        ));
    }
    let known = metrics.iter().find(|metric| metric.path == entry.key);
    let metric = match known {
        Some(known) => Ok(known),
        None => Err(problems.report(
            entry.key_span.clone(),
            format!("the report has no number `{}`", entry.key),
            which_metric(entry.key, metrics),
        )),
    };
    let bound = bound(entry, problems);
    let (metric, bound) = (metric?, bound?);
    can_match(entry, metric, &bound, problems)?;
    Ok(Expectation {
        metric: metric.path.clone(),
        bound,
    })
}

/// Refuses a bound that nothing can keep to, because what it is for is of another kind.
fn can_match(
    entry: &Entry,
    metric: &Metric,
    bound: &Bound,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let asks = match bound {
        Bound::Range { .. } => MetricKind::Number,
        Bound::Equals(Value::Bool(_)) => MetricKind::Truth,
        Bound::Equals(Value::String(_)) => MetricKind::Text,
        Bound::Equals(_) | Bound::Among(_) => MetricKind::Number,
    };
    if asks == metric.kind {
        return Ok(());
    }
    let (is, help) = match metric.kind {
        MetricKind::Number => ("a number", "{ min = 3, max = 4 }"),
        MetricKind::Truth => ("true or false", "{ equals = true }"),
        MetricKind::Text => ("a text", "{ equals = \"events\" }"),
    };
    let what = match asks {
        MetricKind::Number => "a number",
        MetricKind::Truth => "a truth value",
        MetricKind::Text => "a text",
    };
    Err(entry.wrong(
        problems,
        format!("`{}` is {is}, and this asks for {what}", metric.path),
        format!("ask for it as in `{help}`"),
    ))
}

/// What a run may leave unchecked at its end.
const UNCHECKED: &str = "unchecked";

/// Reads which numbers a run may say nothing of.
fn unchecked(
    entry: &Entry,
    metrics: &[Metric],
    problems: &mut Problems,
) -> Result<Expectation, Reported> {
    const HELP: &str = "name the numbers of which the run may say nothing, as in \
                        [\"writes.missing_copies\", \"reads.unreadable\"]";
    let mut allowed = Vec::new();
    let mut all = Ok(());
    for item in entry.list(problems, HELP)?.iter() {
        let item = entry.with_value(item);
        match item.text(problems, HELP) {
            Ok(path) if metrics.iter().any(|metric| metric.path == path) => {
                allowed.push(path.to_owned());
            }
            Ok(path) => {
                let why = format!("the report has no number `{path}`");
                all = Err(item.wrong(problems, why, which_metric(path, metrics)));
            }
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| Expectation {
        metric: UNCHECKED.to_owned(),
        bound: Bound::Among(allowed),
    })
}

/// The path that a key without quotes stands for: TOML reads `a.b = {…}` as a table in a table.
fn unquoted(entry: &Entry, metrics: &[Metric]) -> Option<String> {
    let mut path = entry.key.to_owned();
    let mut value = entry.value.get_ref();
    loop {
        let inner = value.as_table()?;
        if inner.is_empty() || inner.keys().any(|key| BOUNDS.contains(&&**key.get_ref())) {
            break;
        }
        let (key, next) = inner.iter().next()?;
        path = format!("{path}.{}", key.get_ref());
        value = next.get_ref();
    }
    let begins = format!("{}.", entry.key);
    let is_part = metrics
        .iter()
        .any(|metric| metric.path.starts_with(&begins));
    (path != entry.key && is_part).then_some(path)
}

/// Says which paths are near one that the report has not.
fn which_metric(path: &str, metrics: &[Metric]) -> String {
    let known = || metrics.iter().map(|metric| metric.path.as_str());
    let below = |begins: &str| -> Vec<&str> {
        known()
            .filter(|metric| metric.starts_with(begins) && metric[begins.len()..].starts_with('.'))
            .collect()
    };
    let inside = below(path);
    if !inside.is_empty() {
        return format!("it has {} there", listed(inside, "and"));
    }
    if let Some(meant) = nearest(path, known()) {
        return format!("did you mean `{meant}`?");
    }
    let ends = format!(".{path}");
    if let Some(meant) = known().find(|metric| metric.ends_with(&ends)) {
        return format!("did you mean `{meant}`?");
    }
    let first = path.split('.').next().unwrap_or(path);
    let siblings = below(first);
    if !siblings.is_empty() {
        return format!("`{first}` has {}", listed(siblings, "and"));
    }
    let mut parts: Vec<&str> = known()
        .map(|metric| metric.split('.').next().unwrap_or(metric))
        .collect();
    parts.dedup();
    format!("its numbers are in {}", listed(parts, "and"))
}

fn bound(entry: &Entry, problems: &mut Problems) -> Result<Bound, Reported> {
    let table = entry.table(problems, FORM)?;
    table.only(BOUNDS, problems);
    let min = limit(&table, "min", problems)?;
    let max = limit(&table, "max", problems)?;
    if let Some(equals) = table.get("equals") {
        if min.is_some() || max.is_some() {
            return Err(entry.wrong(
                problems,
                "`equals` leaves no room for `min` or `max`",
                "keep one or the other",
            ));
        }
        return exact(&equals, problems).map(Bound::Equals);
    }
    match (min, max) {
        // An unknown bound has been reported, and says which there are.
        (None, None) if table.entries().next().is_some() => Err(Reported),
        (None, None) => Err(entry.wrong(problems, format!("`{}` has no bound", entry.key), FORM)),
        (Some(min), Some(max)) if min > max => Err(entry.wrong(
            problems,
            format!("no number is at least {min} and at most {max}"),
            "`min` must not be above `max`",
        )),
        _ => Ok(Bound::Range { min, max }),
    }
}

fn limit(table: &Section, key: &str, problems: &mut Problems) -> Result<Option<f64>, Reported> {
    let help = "bounds are numbers; a truth value or text is asked for with `equals`";
    table
        .get(key)
        .map(|entry| entry.number(problems, help))
        .transpose()
}

/// What `equals` asks for.
fn exact(entry: &Entry, problems: &mut Problems) -> Result<Value, Reported> {
    let help = "it is a number, a truth value or text";
    match entry.value.get_ref() {
        DeValue::Boolean(value) => Ok(Value::from(*value)),
        DeValue::String(text) => Ok(Value::from(&**text)),
        DeValue::Integer(number) => match number.as_str().parse::<i64>() {
            Ok(number) => Ok(Value::from(number)),
            Err(_) => entry.number(problems, help).map(Value::from),
        },
        DeValue::Float(_) => entry.number(problems, help).map(Value::from),
        _ => Err(entry.wrong_type(problems, "a number, a truth value or text", help)),
    }
}
