//! Which file of a crate imports which: every path of the production code, followed through `use`,
//! `super`, re-exports and the bodies of macros to the file that declares what it names.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// So many re-exports are followed at most; more are a circle of them.
const HOPS_MAX: usize = 8;

/// From a file to a file, and a path that says so.
pub type Arrows = BTreeMap<(String, String), String>;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    Item(usize),
    /// Another crate's.
    Elsewhere,
}

#[derive(Default)]
struct Module {
    /// Index of its file.
    file: usize,
    parent: usize,
    root: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    aliases: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Aliases that others may use: as a sign to what lies in a child they import nothing.
    signs: BTreeSet<Vec<String>>,
}

/// A macro of the crate: what its body names is named where it is called.
struct Macro {
    file: usize,
    body: Named,
}

/// What a stream of tokens names.
#[derive(Clone, Default)]
struct Named {
    paths: Vec<Vec<String>>,
    macros: Vec<String>,
}

/// The modules of one crate, its library and its program.
#[derive(Default)]
pub struct Crate {
    files: Vec<String>,
    modules: Vec<Module>,
    macros: BTreeMap<String, Macro>,
    bodies: Vec<(usize, Vec<syn::Item>)>,
    /// The name and the module of the library, which a program sees as another crate.
    library: Option<(String, usize)>,
    arrows: Arrows,
}

impl Crate {
    /// Reads the crate below `root`, a folder with `lib.rs`, `main.rs` or both.
    ///
    /// # Panics
    /// When a file of a module is missing or is not Rust.
    pub fn read(name: &str, root: &str, sources: &BTreeMap<String, String>) -> Self {
        let mut krate = Self::default();
        for entry in ["lib.rs", "main.rs"] {
            let path = format!("{root}/{entry}");
            if sources.contains_key(&path) {
                let module = krate.declare_file(&path, root, None, sources);
                if entry == "lib.rs" {
                    krate.library = Some((name.to_owned(), module));
                }
            }
        }
        krate.follow();
        krate
    }

    /// Every arrow between its files.
    pub fn arrows(self) -> Arrows {
        self.arrows
    }

    fn declare_file(
        &mut self,
        path: &str,
        folder: &str,
        parent: Option<usize>,
        sources: &BTreeMap<String, String>,
    ) -> usize {
        let text = sources.get(path).unwrap_or_else(|| panic!("{path} is missing"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        self.files.push(path.to_owned());
        let file = self.files.len() - 1;
        self.declare((file, folder), parent, parsed.items, sources)
    }

    /// Declares a module; `folder` is where the files of its children lie.
    fn declare(
        &mut self,
        (file, folder): (usize, &str),
        parent: Option<usize>,
        items: Vec<syn::Item>,
        sources: &BTreeMap<String, String>,
    ) -> usize {
        let index = self.modules.len();
        let root = parent.map_or(index, |parent| self.modules[parent].root);
        let parent = parent.unwrap_or(index);
        self.modules.push(Module { file, parent, root, ..Module::default() });
        let mut kept = Vec::new();
        for item in items {
            if is_of_tests(attributes(&item)) {
                continue;
            }
            match item {
                syn::Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let inside = format!("{folder}/{name}");
                    let child = if let Some((_, items)) = module.content {
                        self.declare((file, &inside), Some(index), items, sources)
                    } else {
                        let flat = format!("{inside}.rs");
                        let nested = format!("{inside}/mod.rs");
                        let path = if sources.contains_key(&flat) { flat } else { nested };
                        self.declare_file(&path, &inside, Some(index), sources)
                    };
                    self.modules[index].children.insert(name, child);
                }
                item => {
                    self.declare_item(index, &item);
                    kept.push(item);
                }
            }
        }
        self.bodies.push((index, kept));
        index
    }

    fn declare_item(&mut self, module: usize, item: &syn::Item) {
        let file = self.modules[module].file;
        let name = match item {
            syn::Item::Const(item) => &item.ident,
            syn::Item::Enum(item) => &item.ident,
            syn::Item::Fn(item) => &item.sig.ident,
            syn::Item::Static(item) => &item.ident,
            syn::Item::Struct(item) => &item.ident,
            syn::Item::Trait(item) => &item.ident,
            syn::Item::TraitAlias(item) => &item.ident,
            syn::Item::Type(item) => &item.ident,
            syn::Item::Union(item) => &item.ident,
            syn::Item::Macro(item) => {
                let Some(name) = &item.ident else { return };
                let body = Named::of(item.mac.tokens.clone());
                self.macros.insert(name.to_string(), Macro { file, body });
                name
            }
            _ => return,
        };
        self.modules[module].items.insert(name.to_string());
    }

    fn follow(&mut self) {
        let bodies = std::mem::take(&mut self.bodies);
        // Every alias is known before any path is followed, also those inside of functions.
        for (module, items) in &bodies {
            let mut uses = Uses(Vec::new());
            items.iter().for_each(|item| uses.visit_item(item));
            for (is_sign, tree) in &uses.0 {
                self.alias(*module, Vec::new(), tree, *is_sign);
            }
        }
        for (module, items) in &bodies {
            let mut seen = Seen::default();
            items.iter().for_each(|item| seen.visit_item(item));
            let (aliases, globs) = {
                let own = &self.modules[*module];
                let aliases = own.aliases.values().filter(|path| !self.is_sign(*module, path));
                (aliases.cloned().collect::<Vec<_>>(), own.globs.clone())
            };
            for path in aliases.iter().chain(&globs).chain(&seen.paths) {
                self.point(*module, path, false);
            }
            for (name, inside) in seen.calls {
                let is_ours = self.macros.contains_key(&name);
                self.call(*module, &name, &mut BTreeSet::new());
                for name in &inside.macros {
                    self.call(*module, name, &mut BTreeSet::new());
                }
                // In a macro of others one small word is a variable, mostly.
                let is_name = |path: &&Vec<String>| {
                    is_ours || path.len() > 1 || path[0].starts_with(char::is_uppercase)
                };
                for path in inside.paths.iter().filter(is_name) {
                    self.point(*module, path, is_ours);
                }
            }
        }
    }

    /// Whether an alias shows others what a child declares.
    fn is_sign(&self, module: usize, path: &[String]) -> bool {
        let own = &self.modules[module];
        let Some(Target::Item(file)) = self.resolve(module, path, 0) else { return false };
        let folder = self.files[own.file].trim_end_matches(".rs").trim_end_matches("/lib");
        let below = self.files[file].strip_prefix(folder);
        own.signs.contains(path) && below.is_some_and(|rest| rest.starts_with('/'))
    }

    fn alias(&mut self, module: usize, mut path: Vec<String>, tree: &syn::UseTree, is_sign: bool) {
        let into = &mut self.modules[module];
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.alias(module, path, &part.tree, is_sign);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.alias(module, path.clone(), tree, is_sign);
                }
            }
            syn::UseTree::Glob(_) => into.globs.push(path),
            syn::UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                into.signs.extend(is_sign.then(|| path.clone()));
                into.aliases.insert(path.last().cloned().unwrap_or_default(), path);
            }
            syn::UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                // Two names that nobody uses are two names.
                let mut name = rename.rename.to_string();
                if name == "_" {
                    name = format!("_{}", path.join("::"));
                }
                into.signs.extend(is_sign.then(|| path.clone()));
                into.aliases.insert(name, path);
            }
        }
    }

    /// Draws the arrow of a path. A module alone is none, but as an argument of our own macros.
    fn point(&mut self, from: usize, path: &[String], with_modules: bool) {
        let file = match self.resolve(from, path, 0) {
            Some(Target::Item(file)) => file,
            Some(Target::Module(module)) if with_modules => self.modules[module].file,
            _ => return,
        };
        self.draw(from, file, &path.join("::"));
    }

    fn draw(&mut self, from: usize, to: usize, path: &str) {
        let from = self.modules[from].file;
        if from != to {
            let ends = (self.files[from].clone(), self.files[to].clone());
            self.arrows.entry(ends).or_insert_with(|| path.to_owned());
        }
    }

    /// Draws the arrows of a macro of the crate where it is called.
    fn call(&mut self, from: usize, name: &str, called: &mut BTreeSet<String>) {
        let Some(found) = self.macros.get(name) else { return };
        if !called.insert(name.to_owned()) {
            return;
        }
        let (file, body) = (found.file, found.body.clone());
        self.draw(from, file, &format!("{name}!"));
        // What only the file of the macro knows is what the macro imports for its caller.
        let home = self.modules.iter().position(|module| module.file == file).unwrap_or(from);
        for path in &body.paths {
            let found = self.resolve(from, path, 0).or_else(|| self.resolve(home, path, 0));
            let to = match found {
                Some(Target::Item(file)) => file,
                Some(Target::Module(module)) => self.modules[module].file,
                _ => continue,
            };
            self.draw(from, to, &path.join("::"));
        }
        for name in &body.macros {
            self.call(from, name, called);
        }
    }

    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<Target> {
        if hops > HOPS_MAX {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        let mut at = match first.as_str() {
            "crate" => Target::Module(module.root),
            "self" => Target::Module(from),
            "super" => Target::Module(module.parent),
            name => match (self.lookup(from, name, rest.is_empty(), hops), &self.library) {
                (Some(found), _) => found,
                (None, Some((library, root))) if library == name && module.root != *root => {
                    Target::Module(*root)
                }
                _ => return None,
            },
        };
        for (index, name) in rest.iter().enumerate() {
            let Target::Module(module) = at else { return Some(at) };
            at = match name.as_str() {
                "super" => Target::Module(self.modules[module].parent),
                "self" => at,
                name => {
                    let is_last = index + 1 == rest.len();
                    // What is not declared is made by a macro there.
                    let made = Target::Item(self.modules[module].file);
                    self.lookup(module, name, is_last, hops).unwrap_or(made)
                }
            };
        }
        Some(at)
    }

    /// What a name stands for in a module. As the last part of a path an item goes before a module.
    fn lookup(&self, at: usize, name: &str, is_last: bool, hops: usize) -> Option<Target> {
        let module = &self.modules[at];
        let item = module.items.contains(name).then_some(Target::Item(module.file));
        let child = module.children.get(name).map(|child| Target::Module(*child));
        let declared = if is_last { item.or(child) } else { child.or(item) };
        if declared.is_some() {
            return declared;
        }
        if let Some(path) = module.aliases.get(name) {
            let is_itself = path.len() == 1 && path[0] == name;
            let found = if is_itself { None } else { self.resolve(at, path, hops + 1) };
            return Some(found.unwrap_or(Target::Elsewhere));
        }
        if hops > HOPS_MAX {
            return None;
        }
        module.globs.iter().find_map(|glob| match self.resolve(at, glob, hops + 1)? {
            Target::Module(other) if other != at => self.lookup(other, name, is_last, hops + 1),
            _ => None,
        })
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is there for tests only: `cfg(test)`, also as one of several.
fn is_of_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let tokens = match &attribute.meta {
            syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            meta => return meta.path().is_ident("test"),
        };
        super::super::has_word(&tokens, "test") && !super::super::has_word(&tokens, "not")
    })
}

/// Every `use` of a module, also inside of functions, and whether others may use it too.
struct Uses(Vec<(bool, syn::UseTree)>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_of_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_sign = !matches!(item.vis, syn::Visibility::Inherited);
        self.0.push((is_sign, item.tree.clone()));
    }
}

/// Every path of a module.
#[derive(Default)]
struct Seen {
    paths: Vec<Vec<String>>,
    /// Each macro that is called, and what its arguments name.
    calls: Vec<(String, Named)>,
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_of_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}

    // What the body of a macro names is named where it is called.
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_none() {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_of_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let parts = path.segments.iter().map(|part| part.ident.to_string());
            self.paths.push(parts.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let name = called.path.segments.last().map(|part| part.ident.to_string());
        self.calls.push((name.unwrap_or_default(), Named::of(called.tokens.clone())));
        visit::visit_path(self, &called.path);
    }

    /// `#[serde(with = "crate::x")]` names a path in a text.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            for token in list.tokens.clone() {
                let TokenTree::Literal(literal) = token else { continue };
                let text = literal.to_string();
                let path: Option<syn::Path> = syn::parse_str(text.trim_matches('"')).ok();
                if let Some(path) = path.filter(|path| path.segments.len() > 1) {
                    self.visit_path(&path);
                }
            }
        }
    }
}

impl Named {
    fn of(tokens: TokenStream) -> Self {
        let mut named = Self::default();
        named.read(tokens);
        named
    }

    fn read(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut before = ' ';
        while let Some(token) = tokens.next() {
            let word = match token {
                TokenTree::Group(group) => {
                    // `#[doc = …]` in the rules of a macro names nothing.
                    if !(before == '#' && group.delimiter() == Delimiter::Bracket) {
                        self.read(group.stream());
                    }
                    before = ' ';
                    continue;
                }
                TokenTree::Punct(mark) => {
                    before = mark.as_char();
                    continue;
                }
                TokenTree::Literal(_) => {
                    before = ' ';
                    continue;
                }
                TokenTree::Ident(word) => word.to_string(),
            };
            let is_path = match before {
                '$' => word == "crate",
                '.' | '\'' | ':' => before == ':',
                _ => true,
            };
            let mut path = vec![word];
            let mut mark = ' ';
            while let Some(TokenTree::Punct(next)) = tokens.peek() {
                mark = next.as_char();
                if mark != ':' {
                    break;
                }
                tokens.next();
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':') {
                    break;
                }
                tokens.next();
                let Some(TokenTree::Ident(next)) = tokens.peek() else { break };
                path.push(next.to_string());
                tokens.next();
                mark = ' ';
            }
            before = ' ';
            if is_path {
                if mark == '!' {
                    self.macros.extend(path.last().cloned());
                }
                self.paths.push(path);
            }
        }
    }
}
