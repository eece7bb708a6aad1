//! All settings as a page for people, made from the table.

use serde_json::{Value, json};

use super::keys::KEYS;

/// A Markdown table with a row for each setting.
pub(super) fn markdown() -> String {
    let mut page = String::from(
        "| key | flag | variable | default | unit | effect |\n|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let default = match key.default {
            None | Some("") => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        page.push_str(&format!(
            "| `{}` | `--{}` | `{}` | {default} | {} | {} |\n",
            key.name,
            key.flag(),
            key.variable(),
            key.kind.unit(),
            key.effect,
        ));
    }
    page
}

/// The same as a list of objects.
pub(super) fn for_programs() -> Vec<Value> {
    let rows = KEYS.iter().map(|key| {
        json!({
            "key": key.name,
            "flag": format!("--{}", key.flag()),
            "variable": key.variable(),
            "default": key.default.filter(|default| !default.is_empty()),
            "unit": key.kind.unit(),
            "effect": key.effect,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_the_same_columns() {
        let page = markdown();
        assert_eq!(page.lines().count(), KEYS.len() + 2);
        for line in page.lines() {
            assert_eq!(line.matches('|').count(), 7, "{line}");
        }
    }
}
