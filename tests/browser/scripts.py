"""What pages try, in their own language."""

from typing import Final

FETCH: Final = """async ([address, options]) => {
    try {
        const response = await fetch(address, options);
        return [response.type, response.status, await response.text()];
    } catch (error) {
        return ["failed", 0, String(error)];
    }
}"""
EVENT_OF: Final = """([kind, address]) => new Promise(resolve => {
    const source = new globalThis[kind](address);
    source.onopen = () => resolve("opened");
    source.onerror = () => resolve("failed");
})"""
ELEMENT: Final = """([name, attribute, address]) => new Promise(resolve => {
    const element = document.createElement(name);
    element[attribute] = address;
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("failed");
    document.body.append(element);
})"""
