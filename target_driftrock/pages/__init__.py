"""Pages for people: templates, one style, and what a browser may do with them. The preview and the sandbox fill them.

It knows no event and no setting, so that the sandbox can use it and still agrees with nobody about what is right.
"""
