/** A kind of request; `first` and so on are part of the text, so that the document is the same every time. */
export type Case = {
  readonly name: string;
  readonly query: string;
  /** The variables of one request; no two have the same ids, because gateways join requests that are equal. */
  readonly variables: (salt: string) => Readonly<Record<string, string>>;
};

export const cases: readonly Case[] = [
  {
    name: "federated",
    query: `query Federated($salt: String!) {
      products(salt: $salt, first: 10) {
        id name price
        reviews(first: 2) { id rating body author { id name } }
      }
    }`,
    variables: (salt) => ({ salt }),
  },
  {
    name: "single",
    query: "query Single($id: ID!) { product(id: $id) { id name price } }",
    variables: (salt) => ({ id: `${salt}.p7` }),
  },
  {
    name: "large",
    query: `query Large($salt: String!) {
      products(salt: $salt, first: 500) {
        id name price description
        reviews(first: 10) { id rating body }
      }
    }`,
    variables: (salt) => ({ salt }),
  },
];
