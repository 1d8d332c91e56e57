-- What the catalogue's facets count without reading the products themselves.
create index product_facets on product (style, kind, release_year, artist)
    where deleted_at is null and enabled;
